//! Compiled modules against what KIR means.
