use super::*;

#[test]
fn the_limit_is_exceeded_by_at_most_one_part() {
    let mut window = Window::new(FlowLimit { bytes: 10, from: 0 }, Mutant::None);
    assert!(window.admit(0, 9));
    assert!(window.admit(0, 50), "9 are less than 10");
    assert!(!window.admit(0, 1));
    window.retire(50);
    assert!(window.admit(0, 1));
}

#[test]
fn times_before_the_given_one_are_not_limited() {
    let mut window = Window::new(FlowLimit { bytes: 10, from: 5 }, Mutant::None);
    assert!((0..100).all(|_| window.admit(4, 50)));
    assert!(!window.admit(5, 1));
}
