"""A lab on loopback: what scripts/lab/up, down and hurt share."""
