//! HTTP: routes, authentication, limits and wire types.
