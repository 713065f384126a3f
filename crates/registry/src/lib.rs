//! Artifacts, versions, aliases and the control-plane database.
