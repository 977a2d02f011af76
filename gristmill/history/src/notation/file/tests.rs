use super::HistoryFile;
use datagen::domain::Limits;
use datagen::schema::draw::{SchemaOptions, draw};
use proptest::prelude::*;

const FILE: &str = "gristmill history, format 1
seed 7b3f0c
table t0 orders partitions 4 rows 16 keys 9
  c0 p int64 partition limits(identity=true)
  c1 'odd name' text clustering desc limits(text_bytes_max=40,identity=true)
  c2 v numeric(10,2) not-null
  c3 s int32 shared
  index i1 c2
  with 'comment = ''its ends\\\\'' '
s1 1: insert t0/0/3 c2=7 | auto
s2 2@snapshot beside 1: #1 delete t0/0/3; #4 read t0/* select c1,c2 | commit
s1 3 beside 2: read t0/0 select c1,c2 | auto
";

#[test]
fn a_file_is_read_and_printed_again() {
    let file = HistoryFile::parse(FILE).unwrap();
    assert_eq!(file.to_string(), FILE);
    assert_eq!(file.places, [10, 11, 12]);
    let schema = file.schema(&|_| Some(Limits::default())).unwrap();
    assert!(!schema.table(0).partition[0].column.nullable);
    assert_eq!(schema.table(0).clustering[0].column.limits.text_bytes_max, 40);
}

#[test]
fn every_mistake_is_named_with_its_line_and_column() {
    let says = |text: &str| -> Vec<String> {
        let errors = HistoryFile::parse(text).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        says("history"),
        ["line 1, column 1: expected gristmill history, format 1, found `history`"]
    );
    assert_eq!(
        says(""),
        ["line 1, column 1: expected gristmill history, format 1, found the end of the line"]
    );
    let mistakes = FILE
        .replace("insert t0", "insret t0")
        .replace("clustering desc", "clustring desc")
        .replace("beside 2: read", "besides 2: read");
    let errors = HistoryFile::parse(&mistakes).unwrap_err();
    let places: Vec<(usize, usize, &str)> = errors
        .iter()
        .map(|e| (e.line, e.column, e.word.as_str()))
        .collect();
    assert_eq!(
        places,
        [(5, 22, "clustring"), (10, 7, "insret"), (12, 6, "besides")]
    );
    assert!(errors.iter().all(|e| !e.expected.is_empty()));
    assert_eq!(
        says(&FILE.replace("identity=true)\n  c1", "identity=perhaps)\n  c1"))
            .first()
            .map(|s| s.starts_with("line 4, column 31: expected limits such as")),
        Some(true)
    );
}

#[test]
fn a_type_that_the_target_lacks_is_refused_by_name() {
    let file = HistoryFile::parse(FILE).unwrap();
    assert_eq!(
        file.schema(&|_| None).unwrap_err(),
        "table `orders`: column `v`: the target does not offer numeric(10,2); use another type"
    );
}

proptest! {
    #[test]
    fn drawn_schemas_come_back_from_their_text(seed: u64, nan: bool, empty_values: bool, digits in 0u8..7) {
        let limits = Limits { nan, empty_values, subsecond_digits: digits, ..Limits::default() };
        let schema = draw(seed, &SchemaOptions::default(), &|_| Some(limits.clone())).unwrap();
        let file = HistoryFile {
            seed: Some(seed),
            tables: schema.tables.iter().map(|t| t.definition().clone()).collect(),
            ..HistoryFile::default()
        };
        let read = HistoryFile::parse(&file.to_string()).unwrap();
        prop_assert_eq!(&read, &file);
        prop_assert_eq!(read.schema(&|_| None).unwrap(), schema);
    }
}
