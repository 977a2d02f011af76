//! Gristmill as a library.
