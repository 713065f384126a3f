//! The request path: sources, hydrators, filters, scorers, selectors, recorder.
