//! The reference passes the suite like any other target, and every lie is told where its table says.

use crate::conformance::everything;
use crate::target::OpenOptions;

#[test]
fn the_reference_passes_the_suite() {
    everything("reference:", &|n| OpenOptions::new("", format!("ref{n}")));
}
