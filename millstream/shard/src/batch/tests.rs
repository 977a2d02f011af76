use super::cut_above;

#[test]
fn a_cut_upper_bound_stays_above() {
    assert_eq!(cut_above(b"abc", 3), Some(b"abc".to_vec()));
    assert_eq!(cut_above(b"abcd", 3), Some(b"abd".to_vec()));
    assert_eq!(cut_above(&[b'a', 255, 255, 1], 3), Some(b"b".to_vec()));
    assert_eq!(cut_above(&[255; 4], 3), None);
}
