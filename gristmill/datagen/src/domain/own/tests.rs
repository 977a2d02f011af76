//! The vints of durations, and every value back to its descriptor.

use super::{OwnBase, duration, put_vint, take_vint};
use crate::domain::Limits;
use crate::value::{Nulls, Value};
use proptest::prelude::*;

fn bases() -> Vec<OwnBase> {
    vec![
        OwnBase::Inet,
        OwnBase::decimal(&Limits::default()),
        OwnBase::Duration,
        OwnBase::TimeUuid,
    ]
}

proptest! {
    #[test]
    fn a_vint_comes_back(v: i64, shift in 0_u32..64, rest in proptest::collection::vec(any::<u8>(), 0..3)) {
        let v = v >> shift;
        let mut bytes = Vec::new();
        put_vint(v, &mut bytes);
        bytes.extend_from_slice(&rest);
        let mut from = bytes.as_slice();
        prop_assert_eq!(take_vint(&mut from), Some(v));
        prop_assert_eq!(from, &rest);
    }

    #[test]
    fn a_descriptor_comes_back_and_ascends_with_its_value(a: u64, b: u64, shift in 0_u32..40) {
        for base in bases() {
            let size = base.size();
            let own = |d: u64| u64::try_from(u128::from(d >> shift) % size).unwrap();
            let (a, b) = (own(a), own(b));
            let (x, y) = (base.inflate(a), base.inflate(b));
            prop_assert_eq!(base.deflate(&x), Some(a), "{:?} {}", &base, x);
            prop_assert_eq!(x.compare(&y, Nulls::First), a.cmp(&b), "{:?}: {} {}", &base, x, y);
        }
    }

    #[test]
    fn what_is_nobodys_image_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..20), n: i128, s in 0_u8..=38) {
        for base in bases() {
            for value in [Value::Bytes(bytes.clone().into()), Value::Numeric(n, s), Value::Null] {
                if let Some(d) = base.deflate(&value) {
                    prop_assert_eq!(base.inflate(d), value);
                }
            }
        }
    }
}

#[test]
fn durations_are_written_as_the_protocol_has_it() {
    assert_eq!(&*duration(1, 2, 3), [2, 4, 6]);
    assert_eq!(&*duration(-1, 0, -64), [1, 0, 127]);
    assert_eq!(&*duration(0, 0, 64), [0, 0, 0x80, 0x80]);
    assert_eq!(
        &*duration(0, 0, i64::MAX),
        [0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]
    );
}

#[test]
fn a_timeuuid_is_of_version_one() {
    let Value::Uuid(bytes) = OwnBase::TimeUuid.inflate(5) else {
        panic!()
    };
    assert_eq!((bytes[6] >> 4, bytes[8] >> 6), (1, 2));
}
