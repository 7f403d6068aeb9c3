//! Checks against a server that answers as Patchwork does.
