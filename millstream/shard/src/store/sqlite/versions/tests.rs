use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{Sweep, add, heads, newest, prepare, scan, seqno, truncate};
use crate::ids::SeqNo;
use crate::mutant::Mutant;
use crate::store::Consensus;
use crate::store::sqlite::SqliteConsensus;

/// What must be there: the versions of each shard.
type Model = BTreeMap<String, BTreeMap<i64, Vec<u8>>>;

fn rows(connection: &Connection) -> usize {
    let count = connection.query_row("SELECT count(*) FROM versions", [], |row| row.get::<_, i64>(0));
    usize::try_from(count.unwrap()).unwrap()
}

fn compare(connection: &Connection, model: &Model) -> Result<(), String> {
    let pair = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
    for (shard, versions) in model {
        let found = scan(connection, shard, SeqNo::FIRST, usize::MAX, pair).unwrap();
        let last = versions.keys().next_back().copied().map(seqno);
        if found.iter().cloned().collect::<BTreeMap<_, _>>() != *versions
            || newest(connection, shard).unwrap() != last
        {
            return Err(format!("{shard} has {found:?} and must have {versions:?}"));
        }
    }
    let last = |(shard, versions): (&String, &BTreeMap<i64, _>)| {
        (shard.clone(), seqno(*versions.keys().next_back().unwrap()))
    };
    let (found, wanted) = (
        heads(connection).unwrap(),
        model.iter().map(last).collect::<Vec<_>>(),
    );
    match found == wanted {
        true => Ok(()),
        false => Err(format!("the heads are {found:?} and must be {wanted:?}")),
    }
}

/// Groups of appends and truncations of nine shards, whose readers see at all times what must be there; then the sweep goes on
/// by itself, until nothing is left but that.
pub(crate) fn what_was_given_up_is_gone(mutant: Mutant) -> Result<(), String> {
    let mut connection = Connection::open_in_memory().unwrap();
    prepare(&mut connection).unwrap();
    let (mut model, mut sweep) = (Model::new(), Sweep::new(mutant));
    let mut state = 7u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    for _ in 0..300 {
        let written = 1 + draw(12);
        for _ in 0..written {
            let shard = format!("s{}", draw(9));
            let versions = model.entry(shard.clone()).or_default();
            let last = versions.keys().next_back().copied();
            if draw(8) == 0
                && let Some(last) = last
            {
                let to = (last - i64::try_from(draw(3)).unwrap()).max(1);
                let gone = truncate(&connection, &shard, seqno(to)).unwrap();
                let left = versions.split_off(&to);
                assert_eq!(gone, versions.len(), "a truncation says how many it gave up");
                *versions = left;
                sweep.owe();
            } else {
                let next = last.map_or(1, |last| last + 1);
                let data = vec![u8::try_from(draw(256)).unwrap(); 20];
                add(&connection, &shard, last.is_none(), next, &data).unwrap();
                versions.insert(next, data);
            }
        }
        sweep
            .go_on(&connection, usize::try_from(written).unwrap())
            .unwrap();
        compare(&connection, &model)?;
    }
    // A lap that has just begun, behind what is given up now.
    for _ in 0..rows(&connection) {
        if sweep.after > 0 {
            break;
        }
        sweep.owe();
        sweep.go_on(&connection, 0).unwrap();
    }
    let given_up = "UPDATE shards SET since = (SELECT max(seq) FROM versions WHERE shard = shards.id)";
    connection.execute_batch(given_up).unwrap();
    for versions in model.values_mut() {
        let last = *versions.keys().next_back().unwrap();
        *versions = versions.split_off(&last);
    }
    sweep.owe();
    for _ in 0..2 * rows(&connection) {
        sweep.go_on(&connection, 0).unwrap();
    }
    compare(&connection, &model)?;
    if sweep.owed || sweep.new {
        return Err(format!("{sweep:?} would go on for ever"));
    }
    let live: usize = model.values().map(BTreeMap::len).sum();
    match rows(&connection) {
        left if left == live => Ok(()),
        left => Err(format!("{left} rows are left, and {live} count")),
    }
}

#[test]
fn a_file_with_the_table_of_before_has_its_versions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("consensus.sqlite");
    let before = Connection::open(&path).unwrap();
    before
        .execute_batch(
            "CREATE TABLE consensus (shard TEXT NOT NULL, seq INTEGER NOT NULL, data BLOB NOT NULL,
                 PRIMARY KEY (shard, seq)) WITHOUT ROWID;
             INSERT INTO consensus VALUES ('a', 4, x'04'), ('a', 5, x'05'), ('b', 1, x'01')",
        )
        .unwrap();
    drop(before);
    let store = SqliteConsensus::open(&path).unwrap();
    let found = crate::rt::block_on(store.scan("a", SeqNo::FIRST, 10)).unwrap();
    let found: Vec<_> = found.iter().map(|v| (v.seqno.get(), v.data.to_vec())).collect();
    assert_eq!(found, [(4, vec![4]), (5, vec![5])]);
    let heads = crate::rt::block_on(store.heads()).unwrap();
    assert_eq!(heads, [("a".to_owned(), seqno(5)), ("b".to_owned(), seqno(1))]);
    drop(store);
    let after = Connection::open(&path).unwrap();
    let left = "SELECT count(*) FROM sqlite_master WHERE name = 'consensus'";
    assert_eq!(after.query_row(left, [], |row| row.get::<_, i64>(0)), Ok(0));
}
