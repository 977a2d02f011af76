use super::*;

/// The vectors of the driver's partitioner (scylla 1.9), and the empty key.
#[test]
fn tokens_are_those_of_the_driver() {
    for (key, token) in [
        ("test", -6_017_608_668_500_074_083),
        ("xd", 4_507_812_186_440_344_727),
        ("primary_key", -1_632_642_444_691_073_360),
        ("kremówki", 4_354_931_215_268_080_151),
        ("", 0),
    ] {
        assert_eq!(murmur(key.as_bytes()), token, "{key}");
        assert_eq!(token_of(&[(Value::Text(key.into()), Type::Text)]), token, "{key}");
    }
}

#[test]
fn a_key_of_several_columns_has_their_lengths_and_ends() {
    let key = [
        (Value::Int(1), Type::Int32),
        (Value::Text("a".into()), Type::Text),
    ];
    let bytes = [0, 4, 0, 0, 0, 1, 0, 0, 1, b'a', 0];
    assert_eq!(token_of(&key), murmur(&bytes));
}

#[test]
fn integers_of_any_size_keep_their_sign_in_few_bytes() {
    for (n, bytes) in [
        (0, &[0][..]),
        (127, &[127]),
        (128, &[0, 128]),
        (-1, &[255]),
        (-128, &[128]),
        (-129, &[255, 127]),
    ] {
        let mut out = Vec::new();
        varint(n, &mut out);
        assert_eq!(out, bytes, "{n}");
    }
}
