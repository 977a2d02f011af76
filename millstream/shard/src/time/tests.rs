use super::Frontier::{At, Closed};

#[test]
fn a_closed_frontier_is_beyond_every_time() {
    assert!(At(u64::MAX) < Closed);
    assert!(!Closed.less_equal(u64::MAX));
    assert!(At(3).less_equal(3) && !At(3).less_than(3) && At(3).less_than(4));
}

#[test]
fn advancing_never_lowers_a_time() {
    assert_eq!(At(5).advance(3), 5);
    assert_eq!(At(5).advance(7), 7);
    assert_eq!(format!("{} {}", At(5), Closed), "{5} {}");
}
