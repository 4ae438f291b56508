//! Faults injected into running processes and servers, and a checker of what clients saw.
