//! Declared features against a slow, obvious reference, at the boundary of the crate.

mod agreement;
mod backfill;
mod bounds;
mod equivalence;
mod expiry;
mod magnitudes;
mod properties;
mod reference;
mod sketches;
mod spilled;
mod versions;
mod world;
