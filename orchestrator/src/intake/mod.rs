//! Intake: series that are known only by their mail, from lists, patchwork and pull requests.
