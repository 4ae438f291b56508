//! The test kit, tested: good stores pass the suite, and bad ones fail it.

mod memory;
