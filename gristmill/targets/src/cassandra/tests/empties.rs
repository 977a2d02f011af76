//! Values of no bytes, of types that have bytes otherwise: they come back, are not NULL, stand before all others, lose a tie
//! against every value, are counted and are no numbers.

use super::elements::{FIRST, of, write};
use super::{World, play};
use crate::conformance::Stage;
use crate::target::Maintenance;
use datagen::schema::ColumnId;
use datagen::value::{Type, Value};
use history::{Answer, Rows, Visit};
use std::sync::Arc;

pub(super) fn empty_values_are_values(world: &World<'_>) {
    let types: Vec<String> = Type::ALL
        .into_iter()
        .filter(|ty| ty.may_be_empty())
        .map(|ty| ty.to_string())
        .collect();
    let types: Vec<&str> = types.iter().map(String::as_str).collect();
    let mut stage = world.stage(|target| of(target, &types, 4));
    let schema = Arc::clone(&stage.schema);
    let table = schema.table(0);
    for flushed in [false, true] {
        for (id, ty) in (FIRST..).map(ColumnId).zip(&types) {
            let domain = table.domain(id);
            assert_eq!(domain.inflate(0), Value::Bytes(Box::new([])), "{ty}");
            let c = id.0;
            // A tie: of two values the greater bytes stay.
            for (p, (a, b)) in [(0, (0, 1)), (1, (1, 0))] {
                write(
                    &mut stage,
                    &format!("1: update t0/{p}/0 c{c}={a} | auto at 5 one"),
                );
                write(
                    &mut stage,
                    &format!("1: update t0/{p}/0 c{c}={b} | auto at 5 one"),
                );
                assert_eq!(cells(&mut stage, p, id), [domain.inflate(1)], "{ty} {p}");
            }
            // Row 0: empty; row 1: NULL; rows 2 and 3: the least of the others, and the greatest.
            let last = u64::try_from(domain.size() - 1).unwrap();
            write(&mut stage, &format!("1: upsert t0/2/0 c{c}=0 | auto at 5 one"));
            write(&mut stage, &format!("1: upsert t0/2/1 c{c}=null | auto at 5 one"));
            write(&mut stage, &format!("1: upsert t0/2/2 c{c}=1 | auto at 5 one"));
            write(
                &mut stage,
                &format!("1: upsert t0/2/3 c{c}={last} | auto at 5 one"),
            );
            let all = [
                domain.inflate(0),
                Value::Null,
                domain.inflate(1),
                domain.inflate(last),
            ];
            assert_eq!(cells(&mut stage, 2, id), all, "{ty}");
            for (filter, rows) in [
                ("=0", vec![0]),
                (">0", vec![2, 3]),
                (">=0", vec![0, 2, 3]),
                ("<1", vec![0]),
                ("<=1", vec![0, 2]),
                ("=1", vec![2]),
            ] {
                let text = format!("9: read t0/2 select c{c} where c{c}{filter} | auto at 0 one");
                let expected: Vec<Value> = rows.into_iter().map(|row| all[row].clone()).collect();
                assert_eq!(shown(&asked(&mut stage, &text)), expected, "{ty} {filter}");
            }
            let timeuuid = *ty == "timeuuid";
            let text = if timeuuid {
                format!("9: read t0/2 aggregate count:c{c},count | auto at 0 one")
            } else {
                format!("9: read t0/2 aggregate count:c{c},count,min:c{c},max:c{c} | auto at 0 one")
            };
            let mut expected = vec![Value::Int(3), Value::Int(4)];
            if !timeuuid {
                expected.extend([domain.inflate(0), domain.inflate(last)]);
            }
            assert_eq!(shown(&asked(&mut stage, &text)), expected, "{ty}");
            if domain.ty().sums() {
                let text = format!("9: read t0/2/0 aggregate sum:c{c} | auto at 0 one");
                let zero = shown(&asked(&mut stage, &text));
                assert!(
                    matches!(zero[0], Value::Int(0) | Value::Numeric(0, _)),
                    "{ty}: {zero:?}"
                );
            }
            if matches!(domain.ty(), Type::Int32 | Type::Int64) {
                let three = domain.deflate(&Value::Int(3)).unwrap();
                write(&mut stage, &format!("1: upsert t0/3/0 c{c}=0 | auto at 5 one"));
                write(
                    &mut stage,
                    &format!("1: upsert t0/3/1 c{c}={three} | auto at 5 one"),
                );
                let text = format!("9: read t0/3 aggregate sum:c{c},avg:c{c} | auto at 0 one");
                let got = shown(&asked(&mut stage, &text));
                assert_eq!(got, [Value::Int(3), Value::Int(3)], "{ty}: sum and avg");
            }
        }
        if !flushed {
            stage.target.maintain(Maintenance::Flush).unwrap();
        }
    }
}

fn cells(stage: &mut Stage, p: u64, id: ColumnId) -> Vec<Value> {
    shown(&asked(
        stage,
        &format!("9: read t0/{p} select c{} | auto at 0 one", id.0),
    ))
}

fn asked(stage: &mut Stage, text: &str) -> Rows {
    let visit: Visit = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    match play(stage, &visit) {
        Answer::Rows(rows) => rows,
        other => panic!("{text}: {other}"),
    }
}

/// The values of all rows.
fn shown(rows: &Rows) -> Vec<Value> {
    let mut rest = rows.bytes.as_slice();
    let mut out = Vec::new();
    while !rest.is_empty() {
        out.push(Value::decode(&mut rest).expect("canonical"));
    }
    out
}
