"""Pure core of the hub: no I/O, no clock, no Temporal, no database."""
