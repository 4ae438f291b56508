//! Models of the protocols of this workspace, checked over every interleaving.
