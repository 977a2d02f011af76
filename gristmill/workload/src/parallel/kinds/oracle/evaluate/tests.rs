use super::{Value, both, compared, order};
use Value::{Bool, Int, Null, Text};

#[test]
fn null_is_neither_true_nor_false_and_yet_decided_by_the_other_side() {
    assert_eq!(both("AND", &Null, &Bool(false)), Bool(false));
    assert_eq!(both("AND", &Null, &Bool(true)), Null);
    assert_eq!(both("AND", &Bool(true), &Bool(true)), Bool(true));
    assert_eq!(both("OR", &Null, &Bool(true)), Bool(true));
    assert_eq!(both("OR", &Null, &Bool(false)), Null);
    assert_eq!(both("OR", &Bool(false), &Bool(false)), Bool(false));
    assert_eq!(compared("=", order(&Null, &Null)), Null);
    assert_eq!(compared("<>", order(&Int(1), &Int(2))), Bool(true));
    assert_eq!(compared(">=", order(&Int(1), &Int(2))), Bool(false));
    assert_eq!(
        compared("=", order(&Text("a".into()), &Text("a".into()))),
        Bool(true)
    );
}
