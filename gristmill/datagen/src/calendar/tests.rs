use proptest::prelude::*;

use super::*;

#[test]
fn known_days_have_their_dates() {
    for (n, year, month, day) in [
        (0, 1970, 1, 1),
        (-1, 1969, 12, 31),
        (11_016, 2000, 2, 29),
        (-719_162, 1, 1, 1),
        (-719_163, 0, 12, 31),
        (2_932_896, 9999, 12, 31),
    ] {
        let date = Civil { year, month, day };
        assert_eq!(civil(n), date);
        assert_eq!(days(date), n);
    }
}

#[test]
fn four_centuries_of_days_follow_each_other() {
    let mut before = civil(-200_000);
    for n in -199_999..200_000 {
        let date = civil(n);
        assert!(before < date);
        assert_eq!(days(date), n);
        before = date;
    }
}

proptest! {
    #[test]
    fn days_and_civil_are_inverses(n in -500_000_000_i32..500_000_000) {
        prop_assert_eq!(days(civil(n)), n);
    }
}
