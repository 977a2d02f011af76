use super::NotationError;
use crate::{
    Address, Aggregate, Answer, Answered, Cells, Change, ChangeKind, Condition, Consistency, End, Extras,
    From, Level, Lts, Op, Part, Parts, Predicate, Query, Reason, ReasonKind, Relation, RowChoice, Rows,
    Select, SessionId, Span, Stamp, Step, Tick, Visit,
};
use datagen::schema::ColumnId;
use datagen::universe::Slice;
use datagen::value::{Order, Value};
use proptest::prelude::*;
use proptest::{collection::vec, option};

/// The text is read and printed again; its visit has these writes.
fn same(text: &str) -> Visit {
    let visit: Visit = text.parse().unwrap();
    assert_eq!(visit.to_string(), text);
    visit
}

#[test]
fn timestamps_batches_and_pages_have_their_words() {
    let visit = same("3: upsert t0/1/0 c2=1; delete t0/1/4 | logged-batch at -5 quorum ttl 3 node 2");
    assert_eq!(visit.end, End::Batch { logged: true });
    let stamp = Stamp {
        condition: None,
        timestamp: -5,
        ttl: Some(3),
        consistency: Consistency::Quorum,
        node: 2,
    };
    assert_eq!(visit.stamp, Some(stamp));
    same("4: read t0/1 select c2 order c1 limit 3 per-partition 2 page 5 stamps | auto at 7 one");
}

#[test]
fn every_kind_of_step_has_its_line() {
    let visit = same("12: insert t0/17/5 c3=3 c4=null; delete t0/17[1:3..5) | commit");
    let part = Part {
        table: 0,
        position: 17,
    };
    assert_eq!(
        visit,
        Visit {
            stamp: None,
            lts: Lts(12),
            level: Level::Serializable,
            writes: vec![part],
            steps: vec![
                Step::Write(Op::Insert {
                    part,
                    row: 5,
                    cells: Cells::from_slice(&[(ColumnId(3), Some(3)), (ColumnId(4), None)]),
                    strict: false
                }),
                Step::Write(Op::DeleteSlice {
                    part,
                    slice: Slice {
                        prefix: vec![1],
                        lower: Some((3, true)),
                        upper: Some((5, false))
                    }
                }),
            ],
            end: End::Commit,
        }
    );
    same("1: insert! t0/17/5 | auto");
    same(
        "2@read-committed: upsert t1/4/0 c1=0; update t0/4/0 c2=18446744073709551615; shared t1/4 c8=1 | rollback",
    );
    same("3: elements t0/1/5 c4 0=7,3=null; elements t0/1 c9 1=0 | batch at 5 one");
    same("3@snapshot: savepoint 1; delete t0/4/0 c2,c3; rollback to 1; delete t0/4/0; delete t0/4 | commit");
    same("4@read-uncommitted: delete t0/4(:3..]; delete t0/4[1,2:..7] | commit");
    same("5@repeatable-read writes t0/1,t0/2: | commit");
    same(
        "6: read t0/17[2:..] select c3,c1 where c3>=7,c4 is-null,c5<>0 order c1,-c2 limit 5 offset 1 | auto",
    );
    same("7: read t0/{3,9}/{1,2} left-join group c1 with count,sum:c4 order c1 | auto");
    same("8: read t0/* of-shared distinct c1 | auto");
    same(
        "9: read t0/1/1 join aggregate count,count:c1,min:c1,max:c2 where c1 is-not-null,c2<1,c2<=1,c2>0,c2=4 | auto",
    );
}

#[test]
fn a_mistake_is_named_with_its_column() {
    let says = |text: &str| text.parse::<Visit>().unwrap_err().to_string();
    assert_eq!(says("x"), "column 1: expected a number, found \"x\"");
    assert_eq!(
        says("1: insert t0/1 | commit"),
        "column 15: expected /, found \" | commit\""
    );
    assert_eq!(
        says("1: insret t0/1/1 | commit"),
        "column 4: expected insert, insert!, upsert, update, elements, add, shared, delete, read, savepoint, rollback to, \
         create-index, drop-index, drop-column or add-column, \
         found \"insret t0/1/1 | comm\""
    );
    assert_eq!(
        says("1: delete t70000/1 | commit"),
        "column 12: expected a number in its range, found \"70000/1 | commit\""
    );
    assert_eq!(
        says("1: delete t0/1 | commit now"),
        "column 24: expected the end, found \" now\""
    );
    let found: NotationError = "s1 1.0.0 1..2 in 1..2: rows (5".parse::<Answered>().unwrap_err();
    assert_eq!(found.to_string(), "column 31: expected ), found \"\"");
}

#[test]
fn answers_tell_types_apart() {
    for text in [
        "s3 14.0.0 1011..1015 in 1009..1015: rows (5,'it''s \\u{a}',null) (n:-150/2,x'00ff',f64:-0.0) ()",
        "s3 14.1.begin 1..2 in 1..2: affected 0",
        "s3 14.1.end 1..2 in 1..2: affected 18446744073709551615",
        "s3 14.0.7 1..2 in 1..2: refused duplicate '23505' 'key \\\\ exists'",
        "s1 12.0.end 990..1020 in 990..1020: unknown disconnected '' 'connection closed'",
        "s1 1.0.0 1..2 in 1..2: rows (true,f32:NaN,f32:inf,d:-3,t:1,ts:-9223372036854775808,tz:0) (raw:ff)",
        "s1 1.0.0 1..2 in 1..2: rows (u'00112233445566778899aabbccddeeff',x'')",
    ] {
        let answered: Answered = text.parse().unwrap();
        assert_eq!(answered.to_string(), text);
    }
}

fn column() -> impl Strategy<Value = ColumnId> {
    any::<u16>().prop_map(ColumnId)
}

fn cells() -> impl Strategy<Value = Cells> {
    vec((column(), any::<Option<u64>>()), 0..6).prop_map(Cells::from_vec)
}

fn part() -> impl Strategy<Value = Part> {
    any::<(u16, u64)>().prop_map(|(table, position)| Part { table, position })
}

fn slice() -> impl Strategy<Value = Slice> {
    let bound = || any::<Option<(u32, bool)>>();
    (vec(any::<u32>(), 0..3), bound(), bound()).prop_map(|(prefix, lower, upper)| Slice {
        prefix,
        lower,
        upper,
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (part(), any::<u64>(), cells(), any::<bool>()).prop_map(|(part, row, cells, strict)| Op::Insert {
            part,
            row,
            cells,
            strict
        }),
        (part(), any::<u64>(), cells()).prop_map(|(part, row, cells)| Op::Upsert { part, row, cells }),
        (part(), any::<u64>(), cells()).prop_map(|(part, row, cells)| Op::Update { part, row, cells }),
        (part(), cells()).prop_map(|(part, cells)| Op::Shared { part, cells }),
        (part(), any::<u64>()).prop_map(|(part, row)| Op::DeleteRow { part, row }),
        (part(), any::<u64>(), vec(column(), 1..3)).prop_map(|(part, row, columns)| Op::DeleteCells {
            part,
            row,
            columns
        }),
        (
            part(),
            any::<Option<u64>>(),
            column(),
            vec(any::<(u16, Option<u64>)>(), 1..4)
        )
            .prop_map(|(part, row, column, elements)| Op::Elements {
                part,
                row,
                column,
                elements: elements.into(),
            }),
        (part(), any::<Option<u64>>(), vec((column(), any::<i64>()), 0..4)).prop_map(
            |(part, row, amounts)| Op::Add {
                part,
                row,
                amounts: amounts.into(),
            }
        ),
        (part(), slice()).prop_map(|(part, slice)| Op::DeleteSlice { part, slice }),
        part().prop_map(|part| Op::DeletePartition { part }),
    ]
}

fn aggregate() -> impl Strategy<Value = Aggregate> {
    prop_oneof![
        Just(Aggregate::CountRows),
        column().prop_map(Aggregate::Count),
        column().prop_map(Aggregate::Min),
        column().prop_map(Aggregate::Max),
        column().prop_map(Aggregate::Sum),
        column().prop_map(Aggregate::Avg),
    ]
}

fn predicate() -> impl Strategy<Value = Predicate> {
    use Relation::{Contains, ContainsEntry, ContainsKey, Eq, Ge, Gt, IsNotNull, IsNull, Le, Lt, Ne};
    let relation = prop::sample::select(vec![
        Eq,
        Ne,
        Lt,
        Le,
        Gt,
        Ge,
        IsNull,
        IsNotNull,
        Contains,
        ContainsKey,
        ContainsEntry,
    ]);
    (column(), relation, any::<u64>()).prop_map(|(column, relation, value)| Predicate {
        column,
        relation,
        value,
    })
}

fn query() -> impl Strategy<Value = Query> {
    let parts = prop_oneof![
        any::<u64>().prop_map(Parts::One),
        vec(any::<u64>(), 0..4).prop_map(Parts::In),
        Just(Parts::All),
        (any::<Option<u64>>(), any::<Option<u64>>()).prop_map(|(after, upto)| Parts::Ring { after, upto })
    ];
    let rows = prop_oneof![
        Just(RowChoice::All),
        any::<u64>().prop_map(RowChoice::One),
        vec(any::<u64>(), 0..4).prop_map(RowChoice::In),
        slice().prop_map(RowChoice::Slice),
    ];
    let from = prop::sample::select(vec![From::Table, From::Shared, From::InnerJoin, From::LeftJoin]);
    let select = prop_oneof![
        vec(column(), 1..4).prop_map(Select::Columns),
        vec(column(), 1..4).prop_map(Select::Distinct),
        vec(aggregate(), 1..4).prop_map(Select::Aggregates),
        (vec(column(), 1..3), vec(aggregate(), 0..3))
            .prop_map(|(by, aggregates)| Select::Group { by, aggregates }),
    ];
    let order = vec(
        (column(), prop::sample::select(vec![Order::Asc, Order::Desc])),
        0..3,
    );
    let extras = (
        any::<bool>(),
        any::<bool>(),
        any::<Option<u32>>(),
        any::<Option<u32>>(),
    )
        .prop_map(|(stamps, ttls, per_partition, page)| Extras {
            stamps,
            ttls,
            per_partition,
            page,
        });
    (
        any::<u16>(),
        parts,
        rows,
        from,
        select,
        vec(predicate(), 0..3),
        order,
        any::<Option<u32>>(),
        any::<u32>(),
        extras,
    )
        .prop_map(
            |(table, parts, rows, from, select, filter, order, limit, offset, extras)| Query {
                table,
                from,
                parts,
                rows,
                filter,
                select,
                order,
                limit,
                offset,
                extras,
            },
        )
}

fn stamp() -> impl Strategy<Value = Stamp> {
    let level = prop::sample::select(Consistency::ALL.map(|(level, _)| level).to_vec());
    let condition = option::of(prop_oneof![
        Just(Condition::NotExists),
        Just(Condition::Exists),
        (column(), any::<Option<u64>>()).prop_map(|(column, value)| Condition::Equals { column, value }),
    ]);
    (any::<i64>(), any::<Option<u32>>(), level, any::<u16>(), condition).prop_map(
        |(timestamp, ttl, consistency, node, condition)| Stamp {
            condition,
            timestamp,
            ttl,
            consistency,
            node,
        },
    )
}

fn visit() -> impl Strategy<Value = Visit> {
    use Level::{ReadCommitted, ReadUncommitted, RepeatableRead, Serializable, Snapshot};
    let step = prop_oneof![
        4 => op().prop_map(Step::Write),
        4 => query().prop_map(Step::Read),
        1 => any::<u8>().prop_map(Step::Savepoint),
        1 => any::<u8>().prop_map(Step::RollbackTo),
        1 => (any::<u16>(), any::<u16>(), 0..4_usize).prop_map(|(table, column, what)| {
            let (column, what) = (ColumnId(column), ChangeKind::ALL[what].0);
            Step::Change(Change { table, column, what })
        }),
    ];
    let level = prop::sample::select(vec![
        ReadUncommitted,
        ReadCommitted,
        RepeatableRead,
        Snapshot,
        Serializable,
    ]);
    let end = prop::sample::select(vec![
        End::Autocommit,
        End::Commit,
        End::Rollback,
        End::Batch { logged: false },
        End::Batch { logged: true },
    ]);
    (
        any::<u64>(),
        level,
        vec(step, 0..5),
        (end, option::of(stamp())),
        option::of(vec(part(), 0..3)),
    )
        .prop_map(|(lts, level, steps, (end, stamp), writes)| {
            let writes = writes.unwrap_or_else(|| crate::explicit::written(&steps));
            Visit {
                stamp,
                lts: Lts(lts),
                level,
                writes,
                steps,
                end,
            }
        })
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(2, 6, 3, |part| {
        vec(part, 0..3).prop_map(|parts| Value::Composite(parts.into()))
    })
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<u32>().prop_map(|bits| Value::Float32(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Value::Float64(f64::from_bits(bits))),
        (any::<i128>(), 0..=38u8).prop_map(|(n, scale)| Value::Numeric(n, scale)),
        any::<String>().prop_map(|s| Value::Text(s.into())),
        vec(any::<u8>(), 0..9).prop_map(|b| Value::Bytes(b.into())),
        any::<[u8; 16]>().prop_map(Value::Uuid),
        any::<i32>().prop_map(Value::Date),
        any::<i64>().prop_map(Value::Time),
        any::<i64>().prop_map(Value::Timestamp),
        any::<i64>().prop_map(Value::TimestampTz),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    let rows = vec(vec(value(), 0..4), 0..4).prop_map(|all| {
        let mut rows = Rows::default();
        for row in all {
            row.iter().for_each(|value| value.encode(&mut rows.bytes));
            rows.end_row();
        }
        rows
    });
    let kind = prop::sample::select(vec![
        ReasonKind::Duplicate,
        ReasonKind::RolledBack,
        ReasonKind::InFailedTransaction,
    ]);
    let reason =
        (kind, any::<String>(), any::<String>()).prop_map(|(kind, code, text)| Reason { kind, code, text });
    prop_oneof![
        rows.prop_map(Answer::Rows),
        any::<u64>().prop_map(Answer::Affected),
        reason.clone().prop_map(Answer::Refused),
        reason.prop_map(Answer::Unknown),
    ]
}

proptest! {
    #[test]
    fn visits_printed_and_parsed_are_the_same(visit in visit()) {
        let text = visit.to_string();
        let back: Visit = text.parse().map_err(|e| TestCaseError::fail(format!("{text}\n{e}")))?;
        prop_assert_eq!(&back, &visit);
        prop_assert_eq!(back.to_string(), text);
    }

    #[test]
    fn answers_printed_and_parsed_are_the_same(answer in answer(), at: (u64, u8, u16, u16), t: [u64; 4]) {
        let span = |sent, answered| Span { sent: Tick(sent), answered: Tick(answered) };
        let answered = Answered {
            address: Address { lts: Lts(at.0), attempt: at.1, step: at.2 },
            session: SessionId(at.3),
            span: span(t[0], t[1]),
            snapshot: span(t[2], t[3]),
            answer,
        };
        let text = answered.to_string();
        let back: Answered = text.parse().map_err(|e| TestCaseError::fail(format!("{text}\n{e}")))?;
        prop_assert_eq!(back.to_string(), text);
        prop_assert_eq!(back, answered);
    }
}
