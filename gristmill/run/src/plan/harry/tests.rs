use super::read;
use crate::plan::{Millis, Seed, Settings};
use expect_test::{Expect, expect};

fn shown(text: &str, expected: Expect) {
    let found = match read(text, "conf.yaml") {
        Ok(harry) => harry.remarks.iter().map(|r| format!("{r}\n")).collect(),
        Err(mistakes) => mistakes.iter().map(|m| format!("{m}\n")).collect::<String>(),
    };
    expected.assert_eq(&found);
}

/// A file with every section that Harry's own files have.
const WHOLE: &str = r#"
seed: 1596731732524
schema_provider:
  fixed:
    keyspace: harry
    table: test_table
    partition_keys:
      pk1: bigint
      pk2: ascii
    clustering_keys:
      ck1: ascii
      ck2: desc(bigint)
    regular_columns:
      v1: ascii
      v2: bigint
    static_columns:
      s1: ascii
create_schema: true
drop_schema: false
truncate_schema: true
clock:
  approximate_monotonic:
    history_size: 7300
    epoch_length: 1
    epoch_time_unit: "SECONDS"
system_under_test:
  external:
    contact_points: 127.0.0.1
    port: 9042
    username: cassandra
    password: "p@ss"
data_tracker:
  locking:
    max_seen_lts: -1
    max_complete_lts: -1
partition_descriptor_selector:
  default:
    window_size: 10
    slide_after_repeats: 100
clustering_descriptor_selector:
  default:
    operations_per_lts:
      type: "constant"
      constant: 2
    max_partition_size: 1000
    operation_kind_weights:
      DELETE_RANGE: 1
      DELETE_SLICE: 1
      DELETE_ROW: 1
      DELETE_COLUMN: 1
      DELETE_PARTITION: 1
      INSERT: 50
      UPDATE: 50
      DELETE_COLUMN_WITH_STATICS: 1
      INSERT_WITH_STATICS: 50
      UPDATE_WITH_STATICS: 50
    column_mask_bitsets: null
runner:
  concurrent:
    run_time: 2
    run_time_unit: "HOURS"
    visitor_pools:
      - prefix: "Writer"
        concurrency: 2
        visitor:
          mutating:
            row_visitor:
              mutating: {}
      - prefix: "Reader"
        concurrency: 1
        visitor:
          parallel_validate_recent_partitions:
            partition_count: 100
            queries_per_partition: 2
            concurrency: 20
            model:
              quiescent_checker: {}
metric_reporter:
  no_op: {}
"#;

#[test]
fn a_whole_file_is_settings_and_remarks() {
    let harry = read(WHOLE, "conf.yaml").unwrap();
    let Settings {
        seed,
        target,
        time,
        sessions,
        keep,
        schema_text,
        workload,
        ..
    } = &harry.settings;
    assert_eq!(*seed, Some(Seed(1_596_731_732_524)));
    assert_eq!(
        target.as_deref(),
        Some("cassandra://cassandra:p%40ss@127.0.0.1:9042")
    );
    assert_eq!(
        (*time, *sessions, *keep),
        (Some(Millis(7_200_000)), Some(3), Some(true))
    );
    let ddl = schema_text.as_ref().unwrap().1.replace(", ", ",\n");
    expect![[r#"
        CREATE TABLE test_table (pk1 bigint,
        pk2 ascii,
        ck1 ascii,
        ck2 bigint,
        v1 ascii,
        v2 bigint,
        s1 ascii STATIC,
        PRIMARY KEY ((pk1,
        pk2),
        ck1,
        ck2)) WITH CLUSTERING ORDER BY (ck1 ASC,
        ck2 DESC);
        [narrow.window]
        repeats = 100
        width = 10

        [rows]
        per-partition = 1000

        [[visits]]
        autocommit = false
        name = "mutate"
        partitions = 1
        reads = 0
        weight = 1
        writes = 2

        [[visits]]
        autocommit = true
        name = "validate"
        partitions = 0
        reads = 1
        weight = 200
        writes = 0

        [wide.window]
        repeats = 100
        width = 10

        [writes]
        delete-cells = 2
        delete-partition = 1
        delete-range = 1
        delete-row = 1
        delete-slice = 1
        insert = 0
        shared = 100
        update-all = 0
        update-some = 100
        upsert = 100
    "#]]
    .assert_eq(&format!("{ddl}\n{}", toml::to_string(workload).unwrap()));
    shown(
        WHOLE,
        expect![[r#"
            conf.yaml, line 5: keyspace: no counterpart: names begin with the run's prefix
            conf.yaml, line 20: truncate_schema: no counterpart: a run makes its own tables, empty, under a prefix of its own
            conf.yaml, line 21: clock approximate_monotonic: no counterpart: timestamps follow the visit's number (workload.lww.clock)
            conf.yaml, line 33: data_tracker locking: readers need no lock here; --exclusion=true keeps writers apart under --discipline lww
            conf.yaml, line 34: max_seen_lts: no counterpart: what became of each visit is in the run's folder
            conf.yaml, line 35: max_complete_lts: no counterpart: what became of each visit is in the run's folder
            conf.yaml, line 54: DELETE_COLUMN_WITH_STATICS: row and shared cells are operations of their own here: delete-cells
            conf.yaml, line 55: INSERT_WITH_STATICS: row and shared cells are operations of their own here: upsert and shared
            conf.yaml, line 56: UPDATE_WITH_STATICS: row and shared cells are operations of their own here: update-some and shared
            conf.yaml, line 57: column_mask_bitsets: no counterpart: columns are drawn per operation
            conf.yaml, line 63: visitor_pools: 3 sessions, each of which writes and reads
        "#]],
    );
}

#[test]
fn what_a_file_says_becomes_a_plan() {
    let mut settings = read(WHOLE, "conf.yaml").unwrap().settings;
    settings.target = Some("sqlite:".to_owned());
    let plan = settings.plan(&crate::life::environment(None)).unwrap();
    let table = &plan.schema.tables[0];
    let shape = (table.name.as_str(), table.clustering.len(), table.shared.len());
    assert_eq!(shape, ("test_table", 2, 1));
    let writes: u64 = plan.workload.visits.iter().map(|v| u64::from(v.writes)).sum();
    let weights = &plan.workload.writes;
    assert_eq!(
        (writes, weights.upsert, weights.shared, weights.insert),
        (2, 100, 100, 0)
    );
}

#[test]
fn every_mistake_is_told_at_once_with_its_line() {
    shown(
        r#"
seed: many
schema_provider:
  fixed:
    table: t
    partition_keys:
      pk: bigint
    static_keys:
      s: ascii
    regular_columns:
      v: varchar
runer:
  sequential: {}
clock:
  approximate_monotone: {}
partition_descriptor_selector:
  default:
    window_size: ten
clustering_descriptor_selector:
  default:
    operation_kind_weights:
      INSRT: 3
runner:
  sequential:
    run_time: 5
    visitors:
      - mutate: {}
"#,
        expect![[r#"
            conf.yaml, line 2: `seed` is "many", expected a whole number
            conf.yaml, line 8: unknown key `static_keys` (did you mean `static_columns`?): Harry takes it and makes no statics
            conf.yaml, line 11: `v` is of type "varchar", expected one of tinyint, smallint, int, bigint, float, double, ascii, text
            conf.yaml, line 12: unknown key `runer` (did you mean `runner`?)
            conf.yaml, line 15: unknown key `approximate_monotone` (did you mean `approximate_monotonic`?)
            conf.yaml, line 18: `window_size` is "ten", expected a whole number
            conf.yaml, line 22: unknown key `INSRT` (did you mean `INSERT`?)
            conf.yaml, line 24: `run_time` needs a run_time_unit
            conf.yaml, line 27: unknown key `mutate`
        "#]],
    );
}

#[test]
fn text_that_is_no_yaml_is_told_by_line() {
    shown(
        "seed: 1\nrunner: [\n",
        expect![[r#"
        conf.yaml, line 3: while parsing a node, did not find expected node content
    "#]],
    );
    shown(
        "seed: 1\nseed: 2\n",
        expect![[r#"
        conf.yaml, line 2: `seed` is there twice
    "#]],
    );
    shown(
        "seed: *a\n",
        expect![[r#"
        conf.yaml, line 1: while parsing node, found unknown anchor
    "#]],
    );
}
