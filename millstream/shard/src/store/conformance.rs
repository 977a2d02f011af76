//! What every store must do, as one body run against each of them.
//!
//! A fake may be trusted when the same suite passes on it and on the real thing.

use std::sync::Arc;

use bytes::Bytes;

use super::{Blob, CasResult, Consensus, Versioned};
use crate::ids::SeqNo;
use crate::rt::join_limited;

fn version(number: u64, data: impl Into<Bytes>) -> Versioned {
    Versioned {
        seqno: SeqNo::new(number).expect("small"),
        data: data.into(),
    }
}

fn seqno(number: u64) -> SeqNo {
    SeqNo::new(number).expect("small")
}

/// Every guarantee of [`Consensus`]. `reopen` opens the same store again, as another process would.
pub(crate) async fn consensus(
    store: Arc<dyn Consensus>,
    reopen: &mut (dyn FnMut() -> Arc<dyn Consensus> + Send),
) -> Result<(), String> {
    let say = |e: super::StoreError| e.to_string();
    let (a, b) = ("s-a", "s-b");
    expect("head of an unknown key", store.head(a).await.map_err(say)?, None)?;
    expect(
        "scan of an unknown key",
        store.scan(a, SeqNo::ZERO, 10).await.map_err(say)?,
        vec![],
    )?;
    expect(
        "truncate of an unknown key fails",
        store.truncate(a, seqno(1)).await.is_err(),
        true,
    )?;
    let cas = async |key: &str, expected: Option<u64>, new: Versioned| {
        store
            .compare_and_set(key, expected.map(seqno), new)
            .await
            .map_err(say)
    };
    use CasResult::{Committed, ExpectationMismatch};
    expect(
        "expectation of the unknown",
        cas(a, Some(1), version(2, "x")).await?,
        ExpectationMismatch,
    )?;
    expect("first", cas(a, None, version(1, "")).await?, Committed)?;
    expect(
        "first again",
        cas(a, None, version(1, "other")).await?,
        ExpectationMismatch,
    )?;
    expect(
        "its empty value",
        store.head(a).await.map_err(say)?,
        Some(version(1, "")),
    )?;
    let (small, big) = (vec![7u8; 10 << 10], vec![9u8; 1 << 20]);
    expect(
        "10 KiB",
        cas(a, Some(1), version(2, small.clone())).await?,
        Committed,
    )?;
    expect(
        "1 MiB",
        cas(a, Some(2), version(3, big.clone())).await?,
        Committed,
    )?;
    expect(
        "too low",
        cas(a, Some(2), version(3, "x")).await?,
        ExpectationMismatch,
    )?;
    expect(
        "too high",
        cas(a, Some(4), version(5, "x")).await?,
        ExpectationMismatch,
    )?;
    for (expected, new) in [(3, 3), (3, 2), (3, 5)] {
        let refused = store
            .compare_and_set(a, Some(seqno(expected)), version(new, "x"))
            .await;
        expect(
            "a version that does not follow is a usage error",
            refused.is_err(),
            true,
        )?;
    }
    for number in 4..=8 {
        expect(
            "more",
            cas(a, Some(number - 1), version(number, number.to_string())).await?,
            Committed,
        )?;
    }
    let all = store.scan(a, SeqNo::ZERO, 100).await.map_err(say)?;
    expect(
        "all values",
        &all[..3],
        &[version(1, ""), version(2, small), version(3, big)][..],
    )?;
    for from in 0..=9u64 {
        for limit in 1..=9usize {
            let wanted: Vec<u64> = (from.max(1)..=8).take(limit).collect();
            let got = store.scan(a, seqno(from), limit).await.map_err(say)?;
            let got: Vec<u64> = got.iter().map(|v| v.seqno.get()).collect();
            expect(&format!("scan from {from} limit {limit}"), got, wanted)?;
        }
    }
    expect(
        "another key is not touched",
        store.head(b).await.map_err(say)?,
        None,
    )?;
    expect("another key", cas(b, None, version(1, "b")).await?, Committed)?;
    for to in 1..=8u64 {
        let deleted = store.truncate(a, seqno(to)).await.map_err(say)?;
        expect(
            "how many were deleted",
            deleted.is_none_or(|n| n == usize::from(to > 1)),
            true,
        )?;
        let again = store.truncate(a, seqno(to)).await.map_err(say)?;
        expect("truncate again", again.is_none_or(|n| n == 0), true)?;
        let left: Vec<u64> = store
            .scan(a, SeqNo::ZERO, 100)
            .await
            .map_err(say)?
            .iter()
            .map(|v| v.seqno.get())
            .collect();
        expect(&format!("left after truncate to {to}"), left, (to..=8).collect())?;
    }
    expect(
        "truncate beyond the head fails",
        store.truncate(a, seqno(9)).await.is_err(),
        true,
    )?;
    expect(
        "the truncated cannot come back",
        cas(a, Some(3), version(4, "fork")).await?,
        ExpectationMismatch,
    )?;
    expect(
        "nor the beginning",
        cas(a, None, version(1, "fork")).await?,
        ExpectationMismatch,
    )?;
    let mut heads = store.heads().await.map_err(say)?;
    heads.retain(|(key, _)| key == a || key == b);
    expect(
        "heads",
        heads,
        vec![(a.to_owned(), seqno(8)), (b.to_owned(), seqno(1))],
    )?;
    let racers = (0..16u64)
        .map(|racer| {
            let store = Arc::clone(&store);
            Box::pin(async move {
                store
                    .compare_and_set("s-a", Some(seqno(8)), version(9, racer.to_string()))
                    .await
            }) as _
        })
        .collect::<Vec<crate::rt::Boxed<'_, _>>>();
    let answers = join_limited(racers, 16).await;
    let won = answers.iter().filter(|r| **r == Ok(Committed)).count();
    let lost = answers.iter().filter(|r| **r == Ok(ExpectationMismatch)).count();
    expect("one of 16 wins", (won, lost), (1, 15))?;
    let head = store.head(a).await.map_err(say)?;
    expect(
        "the winner's value is there",
        head.as_ref().map(|v| v.seqno),
        Some(seqno(9)),
    )?;
    let again = reopen();
    expect("reopened: same head", again.head(a).await.map_err(say)?, head)?;
    let stale = again
        .compare_and_set(a, Some(seqno(8)), version(9, "late"))
        .await
        .map_err(say)?;
    expect("reopened: no fork", stale, ExpectationMismatch)
}

/// Every guarantee of [`Blob`].
pub(crate) async fn blob(
    store: Arc<dyn Blob>,
    reopen: &mut (dyn FnMut() -> Arc<dyn Blob> + Send),
) -> Result<(), String> {
    let say = |e: super::StoreError| e.to_string();
    expect("unknown", store.get("a/p/1").await.map_err(say)?, None)?;
    store
        .set("a/p/1", Bytes::from_static(b"one"))
        .await
        .map_err(say)?;
    expect(
        "set and get",
        store.get("a/p/1").await.map_err(say)?,
        Some(Bytes::from_static(b"one")),
    )?;
    store.set("a/p/empty", Bytes::new()).await.map_err(say)?;
    expect(
        "empty",
        store.get("a/p/empty").await.map_err(say)?,
        Some(Bytes::new()),
    )?;
    store
        .set("a/p/1", Bytes::from_static(b"two"))
        .await
        .map_err(say)?;
    expect(
        "set twice",
        store.get("a/p/1").await.map_err(say)?,
        Some(Bytes::from_static(b"two")),
    )?;
    let big = Bytes::from(vec![3u8; 3 << 20]);
    store.set("b/v2/x", big.clone()).await.map_err(say)?;
    expect(
        "3 MiB",
        store.get("b/v2/x").await.map_err(say)?,
        Some(big.clone()),
    )?;
    let sum = crc32c::crc32c(&big);
    expect(
        "its checksum",
        store.get_summed("b/v2/x").await.map_err(say)?,
        Some((big, sum)),
    )?;
    for (name, range, length) in [
        ("a piece", 5..1_000_000, 999_995),
        ("a piece beyond the end", 3 << 20..4 << 20, 0),
        ("a piece across the end", (3 << 20) - 7..4 << 20, 7),
    ] {
        let piece = Bytes::from(vec![3u8; length]);
        let sum = crc32c::crc32c(&piece);
        let piece = Some((piece, sum));
        let got = store.get_piece("b/v2/x", range.clone()).await.map_err(say)?;
        expect(name, got, piece.clone())?;
        let opened = store.open_pieces("b/v2/x").await.map_err(say)?;
        let got = opened.and_then(|mut blob| blob.piece_at_once(range));
        expect(name, got.clone().or_else(|| piece.clone()), piece)?;
    }
    let ranges = vec![0..1, (3 << 20) - 7..4 << 20, 5..5];
    let pieces = [1, 7, 0].map(|length| Bytes::from(vec![3u8; length]));
    expect(
        "several pieces",
        store.get_pieces("b/v2/x", ranges.clone()).await.map_err(say)?,
        Some(
            pieces
                .map(|piece| (piece.clone(), crc32c::crc32c(&piece)))
                .to_vec(),
        ),
    )?;
    expect(
        "several pieces of the unknown",
        store.get_pieces("b/v2/y", ranges).await.map_err(say)?,
        None,
    )?;
    expect(
        "a piece of the unknown",
        store.get_piece("b/v2/y", 0..1).await.map_err(say)?,
        None,
    )?;
    let opened = store.open_pieces("b/v2/y").await.map_err(say)?;
    expect("the unknown, opened", opened.is_none(), true)?;
    expect(
        "the checksum of the unknown",
        store.get_summed("b/v2/y").await.map_err(say)?,
        None,
    )?;
    let listed = |keys: Vec<(String, usize)>| keys.into_iter().map(|(k, _)| k).collect::<Vec<_>>();
    expect(
        "list a prefix",
        listed(store.list("a/").await.map_err(say)?),
        vec!["a/p/1".to_owned(), "a/p/empty".to_owned()],
    )?;
    let again = reopen();
    expect(
        "a second handle",
        again.get("a/p/1").await.map_err(say)?,
        Some(Bytes::from_static(b"two")),
    )?;
    expect(
        "list all",
        listed(again.list("").await.map_err(say)?).len() >= 3,
        true,
    )?;
    expect("delete", store.delete("a/p/1").await.map_err(say)?, Some(3))?;
    expect("delete again", store.delete("a/p/1").await.map_err(say)?, None)?;
    expect(
        "delete the empty",
        store.delete("a/p/empty").await.map_err(say)?,
        Some(0),
    )?;
    expect("gone", again.get("a/p/1").await.map_err(say)?, None)?;
    store.delete("b/v2/x").await.map_err(say)?;
    expect(
        "all gone",
        listed(store.list("").await.map_err(say)?),
        Vec::<String>::new(),
    )
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, got: T, wanted: T) -> Result<(), String> {
    if got == wanted {
        return Ok(());
    }
    let mut text = format!("{got:?} instead of {wanted:?}");
    text.truncate(300);
    Err(format!("{what}: {text}"))
}
