//! Functions and operators by type, with what they may raise.
//!
//! * G1 a row raises at most what it lists, for all values of its types: what it does not list is a finding.
//! * G2 a row without `raises` may stand in views, checks and defaults: its value is never in question.

use super::speech::{DUCK, LITE, MARIA, PG, Speech};
use history::parallel::expr::Form;
use history::parallel::{DataError, Type};

/// An argument.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arg {
    /// An expression of the type.
    Of(Type),
    /// This text, as a constant.
    Word(&'static str),
    /// A constant from the first to the second.
    Small(i64, i64),
}

/// A function or operator on arguments of fixed types.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function {
    pub(crate) form: Form,
    pub(crate) word: &'static str,
    pub(crate) args: &'static [Arg],
    pub(crate) result: Type,
    pub(crate) raises: &'static [DataError],
    /// Whether it depends on nothing but its arguments: indexes and generated columns take it.
    pub(crate) immutable: bool,
    on: u8,
}

/// An aggregate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aggregate {
    pub(crate) word: &'static str,
    pub(crate) of: Option<Type>,
    /// Constants that follow.
    pub(crate) more: &'static [Arg],
    pub(crate) result: Type,
    pub(crate) raises: &'static [DataError],
    /// Whether its result is the same whatever the order of its rows.
    pub(crate) ordered: bool,
    on: u8,
}

use Arg::{Of, Small, Word};
use DataError::{
    DatetimeRange, DivisionByZero, InvalidParameter, InvalidText, Logarithm, Mismatch, NumericRange, Power,
    Substring,
};
use Form::{Function as F, Infix, Postfix, Prefix};
use Type::{
    Bool, Bytes, Date, Float4, Float8, Int2, Int4, Int8, Interval, Jsonb, Text, Time, Timestamp, TimestampTz,
    Uuid,
};

const N: Type = Type::Numeric(None);

const fn row(
    on: u8,
    form: Form,
    word: &'static str,
    args: &'static [Arg],
    result: Type,
    raises: &'static [DataError],
) -> Function {
    Function {
        form,
        word,
        args,
        result,
        raises,
        immutable: true,
        on,
    }
}

/// The same, of a function that looks at settings.
const fn stable(
    on: u8,
    form: Form,
    word: &'static str,
    args: &'static [Arg],
    result: Type,
    raises: &'static [DataError],
) -> Function {
    Function {
        immutable: false,
        ..row(on, form, word, args, result, raises)
    }
}

const RANGE: &[DataError] = &[NumericRange];
const DIVIDES: &[DataError] = &[NumericRange, DivisionByZero];
const DATES: &[DataError] = &[DatetimeRange];
const LOOSE: &[DataError] = &[Mismatch];
const NONE: &[DataError] = &[];

macro_rules! arithmetic {
    ($ty:expr) => {
        [
            row(PG, Infix, "+", &[Of($ty), Of($ty)], $ty, RANGE),
            row(PG, Infix, "-", &[Of($ty), Of($ty)], $ty, RANGE),
            row(PG, Infix, "*", &[Of($ty), Of($ty)], $ty, RANGE),
            row(PG, Infix, "/", &[Of($ty), Of($ty)], $ty, DIVIDES),
            row(PG, Prefix, "-", &[Of($ty)], $ty, RANGE),
            row(PG, F, "abs", &[Of($ty)], $ty, RANGE),
        ]
    };
}
macro_rules! bits {
    ($ty:expr) => {
        [
            row(PG, Infix, "%", &[Of($ty), Of($ty)], $ty, DIVIDES),
            row(PG, Infix, "&", &[Of($ty), Of($ty)], $ty, NONE),
            row(PG, Infix, "|", &[Of($ty), Of($ty)], $ty, NONE),
            row(PG, Infix, "#", &[Of($ty), Of($ty)], $ty, NONE),
            row(PG, Prefix, "~", &[Of($ty)], $ty, NONE),
            row(PG, Infix, "<<", &[Of($ty), Small(0, 40)], $ty, NONE),
            row(PG, Infix, ">>", &[Of($ty), Small(0, 40)], $ty, NONE),
        ]
    };
}

static ARITHMETIC: [[Function; 6]; 6] = [
    arithmetic!(Int2),
    arithmetic!(Int4),
    arithmetic!(Int8),
    arithmetic!(Float4),
    arithmetic!(Float8),
    arithmetic!(N),
];
static BITS: [[Function; 7]; 3] = [bits!(Int2), bits!(Int4), bits!(Int8)];

static FUNCTIONS: &[Function] = &[
    // Characters.
    row(PG | LITE | MARIA | DUCK, F, "lower", &[Of(Text)], Text, NONE),
    row(PG | LITE | MARIA | DUCK, F, "upper", &[Of(Text)], Text, NONE),
    row(PG | LITE | MARIA | DUCK, F, "trim", &[Of(Text)], Text, NONE),
    row(PG | LITE | MARIA | DUCK, F, "ltrim", &[Of(Text)], Text, NONE),
    row(PG | LITE | MARIA | DUCK, F, "rtrim", &[Of(Text)], Text, NONE),
    row(PG | MARIA | DUCK, F, "reverse", &[Of(Text)], Text, NONE),
    row(PG | MARIA | DUCK, F, "md5", &[Of(Text)], Text, NONE),
    row(PG, F, "initcap", &[Of(Text)], Text, NONE),
    row(PG, F, "btrim", &[Of(Text), Of(Text)], Text, NONE),
    row(PG | LITE | DUCK, Infix, "||", &[Of(Text), Of(Text)], Text, NONE),
    row(MARIA, F, "concat", &[Of(Text), Of(Text)], Text, NONE),
    row(
        PG | MARIA | DUCK,
        F,
        "left",
        &[Of(Text), Small(-3, 40)],
        Text,
        NONE,
    ),
    row(
        PG | MARIA | DUCK,
        F,
        "right",
        &[Of(Text), Small(-3, 40)],
        Text,
        NONE,
    ),
    row(PG, F, "left", &[Of(Text), Of(Int4)], Text, NONE),
    row(
        PG | LITE | MARIA | DUCK,
        F,
        "substr",
        &[Of(Text), Small(-3, 10), Small(0, 40)],
        Text,
        NONE,
    ),
    row(
        PG,
        F,
        "substr",
        &[Of(Text), Of(Int4), Of(Int4)],
        Text,
        &[Substring],
    ),
    row(
        PG,
        F,
        "split_part",
        &[Of(Text), Of(Text), Of(Int4)],
        Text,
        &[InvalidParameter],
    ),
    row(PG, F, "translate", &[Of(Text), Of(Text), Of(Text)], Text, NONE),
    row(PG | MARIA, F, "lpad", &[Of(Text), Small(0, 20)], Text, NONE),
    row(
        PG | LITE,
        F,
        "replace",
        &[Of(Text), Word("a"), Word("bb")],
        Text,
        NONE,
    ),
    row(PG, F, "quote_literal", &[Of(Text)], Text, NONE),
    row(PG, F, "quote_nullable", &[Of(Text)], Text, NONE),
    row(PG, F, "to_hex", &[Of(Int4)], Text, NONE),
    row(PG, F, "to_hex", &[Of(Int8)], Text, NONE),
    row(PG, F, "encode", &[Of(Bytes), Word("hex")], Text, NONE),
    row(PG, F, "md5", &[Of(Bytes)], Text, NONE),
    row(PG, Infix, "->>", &[Of(Jsonb), Word("a")], Text, NONE),
    row(PG, F, "jsonb_typeof", &[Of(Jsonb)], Text, NONE),
    stable(PG, F, "concat", &[Of(Text), Of(Int4), Of(Bool)], Text, NONE),
    stable(PG, F, "concat_ws", &[Of(Text), Of(Text), Of(Text)], Text, NONE),
    row(LITE, F, "hex", &[Of(Bytes)], Text, NONE),
    row(LITE, F, "typeof", &[Of(Int8)], Text, NONE),
    row(LITE, F, "typeof", &[Of(Text)], Text, NONE),
    row(LITE, F, "quote", &[Of(Text)], Text, NONE),
    row(
        LITE,
        F,
        "printf",
        &[Word("%d|%s"), Of(Int8), Of(Text)],
        Text,
        NONE,
    ),
    // Whole numbers.
    row(PG, F, "length", &[Of(Text)], Int4, NONE),
    row(PG, F, "octet_length", &[Of(Text)], Int4, NONE),
    row(PG, F, "bit_length", &[Of(Text)], Int4, NONE),
    row(PG, F, "ascii", &[Of(Text)], Int4, NONE),
    row(PG, F, "strpos", &[Of(Text), Of(Text)], Int4, NONE),
    row(PG, F, "length", &[Of(Bytes)], Int4, NONE),
    row(PG, Infix, "-", &[Of(Date), Of(Date)], Int4, DATES),
    row(PG, F, "num_nonnulls", &[Of(Text), Of(Int4), Of(Bool)], Int4, NONE),
    row(PG, F, "hashtext", &[Of(Text)], Int4, NONE),
    row(PG, F, "gcd", &[Of(Int8), Of(Int8)], Int8, RANGE),
    row(PG, F, "lcm", &[Of(Int4), Of(Int4)], Int4, RANGE),
    row(PG, F, "div", &[Of(N), Of(N)], N, DIVIDES),
    row(LITE | MARIA, F, "length", &[Of(Text)], Int8, NONE),
    row(LITE | MARIA, F, "length", &[Of(Bytes)], Int8, NONE),
    row(LITE | MARIA, F, "instr", &[Of(Text), Of(Text)], Int8, NONE),
    row(LITE, Infix, "+", &[Of(Int8), Of(Int8)], Int8, LOOSE),
    row(LITE, Infix, "-", &[Of(Int8), Of(Int8)], Int8, LOOSE),
    row(LITE, Infix, "*", &[Of(Int8), Of(Int8)], Int8, LOOSE),
    row(LITE, Infix, "/", &[Of(Int8), Of(Int8)], Int8, NONE),
    row(LITE, Infix, "%", &[Of(Int8), Small(1, 9)], Int8, NONE),
    row(LITE, Infix, "&", &[Of(Int8), Of(Int8)], Int8, NONE),
    row(LITE, Infix, "|", &[Of(Int8), Of(Int8)], Int8, NONE),
    row(LITE, Prefix, "~", &[Of(Int8)], Int8, NONE),
    row(LITE, Infix, "<<", &[Of(Int8), Small(0, 70)], Int8, NONE),
    row(LITE, F, "abs", &[Of(Int8)], Int8, RANGE),
    row(LITE, F, "unicode", &[Of(Text)], Int8, NONE),
    row(LITE, F, "sign", &[Of(Int8)], Int8, NONE),
    row(MARIA, Infix, "+", &[Of(Int8), Of(Int8)], Int8, RANGE),
    row(MARIA, Infix, "-", &[Of(Int8), Of(Int8)], Int8, RANGE),
    row(MARIA, Infix, "*", &[Of(Int8), Of(Int8)], Int8, RANGE),
    row(MARIA, Infix, "DIV", &[Of(Int8), Of(Int8)], Int8, DIVIDES),
    row(MARIA, Infix, "%", &[Of(Int8), Small(1, 9)], Int8, NONE),
    row(MARIA, F, "abs", &[Of(Int8)], Int8, RANGE),
    row(MARIA, F, "sign", &[Of(Int8)], Int8, NONE),
    row(MARIA, F, "char_length", &[Of(Text)], Int8, NONE),
    row(MARIA, F, "ascii", &[Of(Text)], Int4, NONE),
    row(MARIA, F, "crc32", &[Of(Text)], Int8, NONE),
    row(MARIA, F, "datediff", &[Of(Date), Of(Date)], Int4, NONE),
    row(MARIA, F, "dayofyear", &[Of(Date)], Int4, NONE),
    row(DUCK, Infix, "+", &[Of(Int8), Of(Int8)], Int8, RANGE),
    row(DUCK, Infix, "-", &[Of(Int8), Of(Int8)], Int8, RANGE),
    row(DUCK, Infix, "*", &[Of(Int8), Of(Int8)], Int8, RANGE),
    row(DUCK, Infix, "//", &[Of(Int8), Of(Int8)], Int8, RANGE),
    row(DUCK, Infix, "%", &[Of(Int8), Small(1, 9)], Int8, NONE),
    row(DUCK, Infix, "+", &[Of(Int4), Of(Int4)], Int4, RANGE),
    row(DUCK, F, "abs", &[Of(Int8)], Int8, RANGE),
    row(DUCK, F, "xor", &[Of(Int8), Of(Int8)], Int8, NONE),
    row(DUCK, F, "length", &[Of(Text)], Int8, NONE),
    row(DUCK, F, "octet_length", &[Of(Bytes)], Int8, NONE),
    row(DUCK, F, "strpos", &[Of(Text), Of(Text)], Int8, NONE),
    row(DUCK, F, "ascii", &[Of(Text)], Int4, NONE),
    row(DUCK, F, "greatest", &[Of(Int8), Of(Int8)], Int8, NONE),
    row(DUCK, F, "least", &[Of(Text), Of(Text)], Text, NONE),
    row(DUCK, F, "replace", &[Of(Text), Word("a"), Word("bb")], Text, NONE),
    row(DUCK, F, "hex", &[Of(Bytes)], Text, NONE),
    row(DUCK, F, "starts_with", &[Of(Text), Of(Text)], Bool, NONE),
    row(
        DUCK,
        F,
        "regexp_matches",
        &[Of(Text), Word("^[a-m]+$")],
        Bool,
        NONE,
    ),
    row(DUCK, Infix, "+", &[Of(Date), Small(-400, 400)], Date, DATES),
    row(DUCK, F, "year", &[Of(Timestamp)], Int8, DATES),
    row(DUCK, F, "isfinite", &[Of(Timestamp)], Bool, NONE),
    row(DUCK, F, "isfinite", &[Of(Date)], Bool, NONE),
    // Binary fractions.
    row(DUCK, Infix, "+", &[Of(Float8), Of(Float8)], Float8, RANGE),
    row(DUCK, Infix, "-", &[Of(Float8), Of(Float8)], Float8, RANGE),
    row(DUCK, Infix, "*", &[Of(Float8), Of(Float8)], Float8, RANGE),
    row(DUCK, F, "abs", &[Of(Float8)], Float8, NONE),
    row(DUCK, F, "floor", &[Of(Float8)], Float8, NONE),
    row(MARIA, Infix, "+", &[Of(Float8), Of(Float8)], Float8, RANGE),
    row(MARIA, Infix, "-", &[Of(Float8), Of(Float8)], Float8, RANGE),
    row(MARIA, Infix, "*", &[Of(Float8), Of(Float8)], Float8, RANGE),
    row(MARIA, Infix, "/", &[Of(Float8), Of(Float8)], Float8, DIVIDES),
    row(MARIA, F, "abs", &[Of(Float8)], Float8, NONE),
    row(MARIA, F, "floor", &[Of(Float8)], Float8, NONE),
    row(PG, F, "sqrt", &[Of(Float8)], Float8, &[Power, NumericRange]),
    row(PG, F, "cbrt", &[Of(Float8)], Float8, RANGE),
    row(PG, F, "exp", &[Of(Float8)], Float8, RANGE),
    row(PG, F, "ln", &[Of(Float8)], Float8, &[Logarithm, NumericRange]),
    row(
        PG,
        F,
        "power",
        &[Of(Float8), Of(Float8)],
        Float8,
        &[Power, NumericRange, DivisionByZero],
    ),
    row(PG, F, "floor", &[Of(Float8)], Float8, NONE),
    row(PG, F, "ceil", &[Of(Float8)], Float8, NONE),
    row(PG, F, "round", &[Of(Float8)], Float8, NONE),
    row(PG, F, "trunc", &[Of(Float8)], Float8, NONE),
    row(PG, F, "sign", &[Of(Float8)], Float8, NONE),
    row(PG, F, "sin", &[Of(Float8)], Float8, RANGE),
    row(PG, F, "atan2", &[Of(Float8), Of(Float8)], Float8, RANGE),
    row(PG, F, "degrees", &[Of(Float8)], Float8, RANGE),
    row(PG, F, "radians", &[Of(Float8)], Float8, RANGE),
    row(LITE, Infix, "+", &[Of(Float8), Of(Float8)], Float8, NONE),
    row(LITE, Infix, "-", &[Of(Float8), Of(Float8)], Float8, NONE),
    row(LITE, Infix, "*", &[Of(Float8), Of(Float8)], Float8, NONE),
    row(LITE, Infix, "/", &[Of(Float8), Of(Float8)], Float8, NONE),
    row(LITE, F, "round", &[Of(Float8)], Float8, NONE),
    row(LITE, F, "abs", &[Of(Float8)], Float8, NONE),
    // Decimals.
    row(PG, F, "round", &[Of(N), Small(-2, 6)], N, RANGE),
    row(PG, F, "trunc", &[Of(N), Small(-2, 6)], N, RANGE),
    row(PG, F, "floor", &[Of(N)], N, RANGE),
    row(PG, F, "ceil", &[Of(N)], N, RANGE),
    row(PG, F, "sign", &[Of(N)], N, NONE),
    row(PG, F, "mod", &[Of(N), Of(N)], N, DIVIDES),
    row(MARIA, Infix, "+", &[Of(N), Of(N)], N, RANGE),
    row(MARIA, Infix, "-", &[Of(N), Of(N)], N, RANGE),
    row(MARIA, F, "round", &[Of(N), Small(-2, 6)], N, RANGE),
    // Truth.
    row(MARIA, Infix, "REGEXP", &[Of(Text), Word("^[a-m]+$")], Bool, NONE),
    row(MARIA, F, "isnull", &[Of(Text)], Bool, NONE),
    row(PG | LITE | MARIA | DUCK, Prefix, "NOT", &[Of(Bool)], Bool, NONE),
    row(
        PG | LITE | MARIA | DUCK,
        Infix,
        "LIKE",
        &[Of(Text), Word("%a%")],
        Bool,
        NONE,
    ),
    row(
        PG | LITE | MARIA | DUCK,
        Infix,
        "NOT LIKE",
        &[Of(Text), Word("_")],
        Bool,
        NONE,
    ),
    row(PG, Infix, "ILIKE", &[Of(Text), Word("R%")], Bool, NONE),
    row(PG, Infix, "~", &[Of(Text), Word("^[a-m]+$")], Bool, NONE),
    row(PG, Infix, "SIMILAR TO", &[Of(Text), Word("(a|b)%")], Bool, NONE),
    row(LITE, Infix, "GLOB", &[Of(Text), Word("[a-m]*")], Bool, NONE),
    row(PG, F, "starts_with", &[Of(Text), Of(Text)], Bool, NONE),
    row(
        PG | LITE | MARIA | DUCK,
        Postfix,
        "IS TRUE",
        &[Of(Bool)],
        Bool,
        NONE,
    ),
    row(
        PG | LITE | MARIA | DUCK,
        Postfix,
        "IS NOT FALSE",
        &[Of(Bool)],
        Bool,
        NONE,
    ),
    row(PG, Postfix, "IS UNKNOWN", &[Of(Bool)], Bool, NONE),
    row(PG, Infix, "@>", &[Of(Jsonb), Of(Jsonb)], Bool, NONE),
    row(PG, Infix, "?", &[Of(Jsonb), Word("a")], Bool, NONE),
    row(PG, F, "isfinite", &[Of(Timestamp)], Bool, NONE),
    row(PG, F, "isfinite", &[Of(Date)], Bool, NONE),
    // Days and times.
    row(PG, Infix, "+", &[Of(Date), Small(-400, 400)], Date, DATES),
    row(PG, Infix, "+", &[Of(Date), Of(Int4)], Date, DATES),
    row(PG, Infix, "+", &[Of(Timestamp), Of(Interval)], Timestamp, DATES),
    row(PG, Infix, "-", &[Of(Timestamp), Of(Interval)], Timestamp, DATES),
    row(PG, Infix, "+", &[Of(Date), Of(Time)], Timestamp, DATES),
    row(
        PG,
        F,
        "date_trunc",
        &[Word("month"), Of(Timestamp)],
        Timestamp,
        DATES,
    ),
    row(PG, Infix, "-", &[Of(Timestamp), Of(Timestamp)], Interval, DATES),
    row(PG, Infix, "+", &[Of(Interval), Of(Interval)], Interval, DATES),
    row(PG, Infix, "*", &[Of(Interval), Small(-3, 3)], Interval, DATES),
    row(PG, F, "justify_hours", &[Of(Interval)], Interval, DATES),
    row(PG, Infix, "+", &[Of(Time), Of(Interval)], Time, NONE),
    stable(
        PG,
        Infix,
        "+",
        &[Of(TimestampTz), Of(Interval)],
        TimestampTz,
        DATES,
    ),
    stable(
        PG,
        F,
        "date_trunc",
        &[Word("day"), Of(TimestampTz)],
        TimestampTz,
        DATES,
    ),
    row(
        PG,
        F,
        "timezone",
        &[Word("UTC"), Of(TimestampTz)],
        Timestamp,
        DATES,
    ),
    row(
        PG,
        F,
        "timezone",
        &[Word("UTC"), Of(Timestamp)],
        TimestampTz,
        DATES,
    ),
    // The rest.
    row(PG, F, "sha256", &[Of(Bytes)], Bytes, NONE),
    row(PG, Infix, "||", &[Of(Bytes), Of(Bytes)], Bytes, NONE),
    row(PG, F, "decode", &[Word("00ff"), Word("hex")], Bytes, NONE),
    row(
        PG,
        F,
        "substr",
        &[Of(Bytes), Small(1, 4), Small(0, 8)],
        Bytes,
        NONE,
    ),
    row(PG, Infix, "->", &[Of(Jsonb), Word("a")], Jsonb, NONE),
    row(
        PG,
        Infix,
        "-",
        &[Of(Jsonb), Word("a")],
        Jsonb,
        &[InvalidParameter],
    ),
    row(PG, F, "jsonb_strip_nulls", &[Of(Jsonb)], Jsonb, NONE),
    stable(PG, F, "jsonb_build_array", &[Of(Int4), Of(Text)], Jsonb, NONE),
    stable(PG, F, "to_jsonb", &[Of(Text)], Jsonb, NONE),
    stable(PG, F, "to_jsonb", &[Of(Int8)], Jsonb, NONE),
    row(
        LITE,
        F,
        "substr",
        &[Of(Bytes), Small(1, 4), Small(0, 8)],
        Bytes,
        NONE,
    ),
];

static AGGREGATES: &[Aggregate] = &[
    aggregate(PG | LITE | MARIA | DUCK, "count", Some(Text), Int8, NONE),
    aggregate(PG, "count", Some(Int4), Int8, NONE),
    aggregate(PG | LITE | MARIA | DUCK, "count", Some(Int8), Int8, NONE),
    aggregate(PG | LITE | MARIA | DUCK, "count", None, Int8, NONE),
    aggregate(PG, "sum", Some(Int4), Int8, NONE),
    aggregate(PG, "sum", Some(Int2), Int8, NONE),
    aggregate(PG, "sum", Some(Int8), N, NONE),
    aggregate(PG, "sum", Some(N), N, RANGE),
    aggregate(PG, "sum", Some(Float8), Float8, RANGE),
    aggregate(PG, "avg", Some(Int4), N, NONE),
    aggregate(PG, "avg", Some(Float8), Float8, RANGE),
    aggregate(PG, "stddev_pop", Some(Int4), N, NONE),
    aggregate(PG, "bool_and", Some(Bool), Bool, NONE),
    aggregate(PG, "bool_or", Some(Bool), Bool, NONE),
    aggregate(PG, "bit_and", Some(Int8), Int8, NONE),
    aggregate(PG, "bit_xor", Some(Int4), Int4, NONE),
    aggregate(PG | LITE | MARIA | DUCK, "min", Some(Text), Text, NONE),
    aggregate(PG | LITE | MARIA | DUCK, "max", Some(Text), Text, NONE),
    aggregate(PG, "min", Some(Int4), Int4, NONE),
    aggregate(PG, "max", Some(Int4), Int4, NONE),
    aggregate(PG | LITE | MARIA | DUCK, "min", Some(Int8), Int8, NONE),
    aggregate(PG | LITE | MARIA | DUCK, "max", Some(Int8), Int8, NONE),
    aggregate(PG | LITE | MARIA | DUCK, "max", Some(Float8), Float8, NONE),
    aggregate(PG, "min", Some(N), N, NONE),
    aggregate(PG, "max", Some(Timestamp), Timestamp, NONE),
    aggregate(PG, "min", Some(Date), Date, NONE),
    aggregate(PG, "max", Some(Interval), Interval, NONE),
    aggregate(PG, "sum", Some(Interval), Interval, DATES),
    Aggregate {
        more: &[Word(",")],
        ordered: true,
        ..aggregate(PG, "string_agg", Some(Text), Text, NONE)
    },
    Aggregate {
        ordered: true,
        ..aggregate(LITE, "group_concat", Some(Text), Text, NONE)
    },
    aggregate(DUCK, "max", Some(N), N, NONE),
    aggregate(DUCK, "min", Some(Date), Date, NONE),
    aggregate(DUCK, "max", Some(Timestamp), Timestamp, NONE),
    aggregate(DUCK, "bool_and", Some(Bool), Bool, NONE),
    aggregate(DUCK, "bit_xor", Some(Int8), Int8, NONE),
    aggregate(MARIA, "sum", Some(Int8), N, RANGE),
    aggregate(MARIA, "sum", Some(Float8), Float8, RANGE),
    aggregate(MARIA, "avg", Some(Int4), N, RANGE),
    aggregate(MARIA, "max", Some(N), N, NONE),
    aggregate(MARIA, "min", Some(Date), Date, NONE),
    aggregate(MARIA, "max", Some(Timestamp), Timestamp, NONE),
    aggregate(LITE, "sum", Some(Int8), Int8, RANGE),
    aggregate(LITE, "total", Some(Float8), Float8, NONE),
    aggregate(LITE, "avg", Some(Int8), Float8, NONE),
];

const fn aggregate(
    on: u8,
    word: &'static str,
    of: Option<Type>,
    result: Type,
    raises: &'static [DataError],
) -> Aggregate {
    Aggregate {
        word,
        of,
        more: &[],
        result,
        raises,
        ordered: false,
        on,
    }
}

/// Casts from one type to another, with what they may raise.
static CASTS: &[(u8, Type, Type, &[DataError])] = &[
    (PG, Int2, Int4, NONE),
    (PG, Int4, Int8, NONE),
    (PG, Int8, Int4, RANGE),
    (PG, Int4, Int2, RANGE),
    (PG, Int4, Float8, NONE),
    (PG, Int8, N, NONE),
    (PG, Int4, N, NONE),
    (PG, Float4, Float8, NONE),
    (PG, Float8, Float4, RANGE),
    (PG, Float8, Int4, RANGE),
    (PG, N, Float8, RANGE),
    (PG, Float8, N, RANGE),
    (PG, Int4, Text, NONE),
    (PG, Int8, Text, NONE),
    (PG, Bool, Text, NONE),
    (PG, N, Text, NONE),
    (PG, Uuid, Text, NONE),
    (PG, Jsonb, Text, NONE),
    (PG, Bool, Int4, NONE),
    (PG, Int4, Bool, NONE),
    (PG, Text, Int4, &[InvalidText, NumericRange]),
    (PG, Text, Int8, &[InvalidText, NumericRange]),
    (PG, Text, N, &[InvalidText, NumericRange]),
    (PG, Text, Float8, &[InvalidText, NumericRange]),
    (PG, Text, Bool, &[InvalidText]),
    (PG, Text, Uuid, &[InvalidText]),
    (PG, Text, Date, &[DataError::InvalidDatetime, DatetimeRange]),
    (
        PG,
        Text,
        Jsonb,
        &[
            DataError::InvalidText,
            DataError::Json,
            DataError::Encoding,
            NumericRange,
        ],
    ),
    (PG, Timestamp, Date, DATES),
    (PG, Date, Timestamp, DATES),
    (PG, Timestamp, Time, NONE),
    (MARIA, Int4, Int8, NONE),
    (MARIA, Int8, Text, NONE),
    (MARIA, Int8, Float8, NONE),
    (MARIA, Int8, N, NONE),
    (MARIA, Bool, Int8, NONE),
    (MARIA, N, Text, NONE),
    (MARIA, Text, Int8, &[InvalidText, NumericRange]),
    (MARIA, Date, Timestamp, NONE),
    (MARIA, Timestamp, Date, NONE),
    (DUCK, Int4, Int8, NONE),
    (DUCK, Int8, Int4, RANGE),
    (DUCK, Int8, Text, NONE),
    (DUCK, Bool, Text, NONE),
    (DUCK, N, Text, NONE),
    (DUCK, Bool, Int4, NONE),
    (DUCK, Int8, Float8, NONE),
    (DUCK, Text, Int8, &[InvalidText, NumericRange]),
    (DUCK, Text, Date, &[DataError::InvalidDatetime, DatetimeRange]),
    (DUCK, Timestamp, Date, DATES),
    (DUCK, Date, Timestamp, DATES),
    (LITE, Int8, Text, NONE),
    (LITE, Int8, Float8, NONE),
    (LITE, Float8, Int8, NONE),
    (LITE, Text, Int8, NONE),
    (LITE, Text, Float8, NONE),
    (LITE, Text, Bytes, NONE),
    (LITE, Float8, Text, NONE),
];

/// A type that can be cast, and what the cast may raise.
pub(crate) type Castable = (Type, &'static [DataError]);

/// What a target has of the registry, by the type of the result.
#[derive(Debug)]
pub(crate) struct Registry {
    functions: Vec<(Type, Vec<&'static Function>)>,
    aggregates: Vec<(Type, Vec<&'static Aggregate>)>,
    casts: Vec<(Type, Vec<Castable>)>,
}

impl Registry {
    pub(crate) fn new(speech: &Speech) -> Self {
        let mut registry = Self {
            functions: Vec::new(),
            aggregates: Vec::new(),
            casts: Vec::new(),
        };
        let rows = FUNCTIONS
            .iter()
            .chain(ARITHMETIC.iter().flatten())
            .chain(BITS.iter().flatten());
        for row in rows.filter(|r| r.on & speech.bit != 0) {
            under(&mut registry.functions, row.result, row);
        }
        for row in AGGREGATES.iter().filter(|r| r.on & speech.bit != 0) {
            under(&mut registry.aggregates, row.result, row);
        }
        for (on, from, to, raises) in CASTS {
            if on & speech.bit != 0 {
                under(&mut registry.casts, *to, (*from, *raises));
            }
        }
        registry
    }

    /// Functions with that result.
    pub(crate) fn functions(&self, ty: Type) -> &[&'static Function] {
        of(&self.functions, ty)
    }

    /// Aggregates with that result.
    pub(crate) fn aggregates(&self, ty: Type) -> &[&'static Aggregate] {
        of(&self.aggregates, ty)
    }

    /// Types that an aggregate can have, in the order of the registry.
    pub(crate) fn aggregated(&self) -> impl Iterator<Item = Type> + Clone {
        self.aggregates.iter().map(|(ty, _)| *ty)
    }

    /// What casts to that type there are.
    pub(crate) fn casts(&self, ty: Type) -> &[Castable] {
        of(&self.casts, ty)
    }
}

fn under<T>(map: &mut Vec<(Type, Vec<T>)>, ty: Type, item: T) {
    match map.iter_mut().find(|(t, _)| *t == ty) {
        Some((_, items)) => items.push(item),
        None => map.push((ty, vec![item])),
    }
}

fn of<T>(map: &[(Type, Vec<T>)], ty: Type) -> &[T] {
    map.iter().find(|(t, _)| *t == ty).map_or(&[], |(_, items)| items)
}

/// The type as expressions see it: without its length or precision.
pub(crate) fn plain(ty: Type) -> Type {
    match ty {
        Type::Varchar(_) | Type::Char(_) => Type::Text,
        Type::Numeric(_) => Type::Numeric(None),
        ty => ty,
    }
}
