//! Views folded from the log: profiles, catalogue, popularity, neighbours.
