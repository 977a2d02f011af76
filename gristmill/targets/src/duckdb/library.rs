//! DuckDB's library: where it is looked for, and the few of its functions that are called.
//!
//! Nothing is linked. A machine without the library is told how to get it, and the process that opens it is a child of ours.

use libloading::Library;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::Arc;

/// The name of its file.
pub(super) const FILE: &str = "libduckdb.so";

/// The versions whose errors and words are known begin so.
const KNOWN: &str = "v1.5.";

/// How the library is got.
pub(super) const REMEDY: &str = "run `cargo xtask servers duckdb`, or name the file of DuckDB 1.5: duckdb:?lib=/PATH/libduckdb.so, \
    or DUCKDB_LIBRARY in the environment";

/// Where the library is, where nobody has named it: in `target/servers/duckdb` above the working directory and above this
/// program, or where the system keeps such files.
pub(super) fn find() -> Option<PathBuf> {
    let here = std::env::current_dir().ok();
    let program = std::env::current_exe().ok();
    let above = [here.as_deref(), program.as_deref()];
    let ours = above
        .into_iter()
        .flatten()
        .flat_map(Path::ancestors)
        .flat_map(|a| [a.join("target/servers/duckdb"), a.join("servers/duckdb")]);
    let system = [
        "/usr/local/lib",
        "/usr/lib",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
    ];
    ours.chain(system.map(PathBuf::from))
        .map(|folder| folder.join(FILE))
        .find(|file| file.is_file())
}

/// `duckdb_result`.
#[repr(C)]
struct RawResult {
    counts: [u64; 3],
    pointers: [*mut c_void; 3],
}

/// `duckdb_string`.
#[repr(C)]
struct RawString {
    data: *mut c_char,
    size: u64,
}

/// What the library calls success.
const SUCCESS: c_int = 0;
/// `DUCKDB_RESULT_TYPE_QUERY_RESULT`: what has rows.
const HAS_ROWS: c_int = 3;

/// Whether cells of a `duckdb_type` can be read as texts: booleans, numbers, times without a zone, texts, bytes, decimals and
/// NULL. One column of another type would make NULL of the whole answer.
fn readable(ty: c_int) -> bool {
    matches!(ty, 1..=19 | 36)
}

macro_rules! functions {
    ($($name:ident: fn($($arg:ty),*) $(-> $back:ty)?;)*) => {
        /// Its functions, as `duckdb.h` declares them.
        struct Functions {
            $($name: unsafe extern "C" fn($($arg),*) $(-> $back)?,)*
            /// Keeps them where they are.
            _library: Library,
        }

        impl Functions {
            fn of(library: Library) -> Result<Self, libloading::Error> {
                #[expect(unsafe_code, reason = "the types are those of duckdb.h")]
                unsafe {
                    $(let $name = *library.get(concat!("duckdb_", stringify!($name), "\0").as_bytes())?;)*
                    Ok(Self { $($name,)* _library: library })
                }
            }
        }
    };
}

functions! {
    library_version: fn() -> *const c_char;
    open_ext: fn(*const c_char, *mut *mut c_void, *mut c_void, *mut *mut c_char) -> c_int;
    close: fn(*mut *mut c_void);
    connect: fn(*mut c_void, *mut *mut c_void) -> c_int;
    disconnect: fn(*mut *mut c_void);
    interrupt: fn(*mut c_void);
    query: fn(*mut c_void, *const c_char, *mut RawResult) -> c_int;
    destroy_result: fn(*mut RawResult);
    result_error: fn(*mut RawResult) -> *const c_char;
    result_return_type: fn(RawResult) -> c_int;
    column_count: fn(*mut RawResult) -> u64;
    column_name: fn(*mut RawResult, u64) -> *const c_char;
    column_type: fn(*mut RawResult, u64) -> c_int;
    row_count: fn(*mut RawResult) -> u64;
    rows_changed: fn(*mut RawResult) -> u64;
    value_is_null: fn(*mut RawResult, u64, u64) -> bool;
    value_string: fn(*mut RawResult, u64, u64) -> RawString;
    free: fn(*mut c_void);
}

/// An open database.
pub(super) struct Database {
    functions: Functions,
    raw: *mut c_void,
    version: String,
}

#[expect(
    unsafe_code,
    reason = "a duckdb_database may be used by all threads, says its documentation"
)]
unsafe impl Send for Database {}
#[expect(unsafe_code, reason = "as above")]
unsafe impl Sync for Database {}

impl Database {
    /// Opens the library, and the database in a file. Errors in words: what cannot be used, and whether it is the library.
    pub(super) fn open(library: &Path, file: &Path) -> Result<Arc<Self>, (bool, String)> {
        let bad = |e: libloading::Error| (true, format!("{}: {e}", library.display()));
        #[expect(
            unsafe_code,
            reason = "the library runs no code of ours, and this process is there for it alone"
        )]
        let opened = unsafe { Library::new(library) }.map_err(bad)?;
        let functions = Functions::of(opened).map_err(bad)?;
        #[expect(unsafe_code, reason = "a text that is never freed")]
        let version = text(unsafe { (functions.library_version)() });
        if !version.starts_with(KNOWN) {
            return Err((
                true,
                format!(
                    "{} is DuckDB {version}, and what is known is {KNOWN}x",
                    library.display()
                ),
            ));
        }
        let path = c_string(&file.to_string_lossy()).map_err(|e| (false, e))?;
        let (mut raw, mut error) = (null_mut(), null_mut());
        #[expect(
            unsafe_code,
            reason = "the error is freed below, the database when it is dropped"
        )]
        let state = unsafe { (functions.open_ext)(path.as_ptr(), &raw mut raw, null_mut(), &raw mut error) };
        if state != SUCCESS {
            let said = text(error);
            #[expect(unsafe_code, reason = "it was given to us to be freed")]
            unsafe {
                (functions.free)(error.cast());
            }
            return Err((false, said));
        }
        Ok(Arc::new(Self {
            functions,
            raw,
            version,
        }))
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// A connection of its own.
    pub(super) fn connect(self: &Arc<Self>) -> Result<Connection, String> {
        let mut raw = null_mut();
        #[expect(unsafe_code, reason = "the database is open as long as it is borrowed")]
        let state = unsafe { (self.functions.connect)(self.raw, &raw mut raw) };
        if state != SUCCESS {
            return Err("no connection can be made".to_owned());
        }
        Ok(Connection {
            database: Arc::clone(self),
            raw,
        })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "its connections hold it: none is left")]
        unsafe {
            (self.functions.close)(&raw mut self.raw);
        }
    }
}

/// One connection: statements of one thread at a time, and interrupts of any.
pub(super) struct Connection {
    database: Arc<Database>,
    raw: *mut c_void,
}

#[expect(
    unsafe_code,
    reason = "it is locked by the engine; only one thread of ours asks it"
)]
unsafe impl Send for Connection {}
#[expect(unsafe_code, reason = "as above, and interrupts are for other threads")]
unsafe impl Sync for Connection {}

/// What a statement came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Rows, as texts.
    Rows(Vec<String>, Vec<Vec<Option<String>>>),
    /// Rows that were changed, where it has none to show.
    Changed(u64),
    /// The engine's words.
    Refused(String),
}

impl Connection {
    pub(super) fn interrupt(&self) {
        #[expect(unsafe_code, reason = "made for other threads")]
        unsafe {
            (self.database.functions.interrupt)(self.raw);
        }
    }

    /// Runs one statement to its end.
    pub(super) fn run(&self, sql: &str) -> Outcome {
        let sql = match c_string(sql) {
            Ok(sql) => sql,
            Err(what) => return Outcome::Refused(format!("Parser Error: {what}")),
        };
        let f = &self.database.functions;
        let mut result = RawResult {
            counts: [0; 3],
            pointers: [null_mut(); 3],
        };
        let raw = &raw mut result;
        #[expect(
            unsafe_code,
            reason = "the result is ours until destroy_result, and indexes are below its own counts"
        )]
        unsafe {
            let state = (f.query)(self.raw, sql.as_ptr(), raw);
            let outcome = if state == SUCCESS {
                let copy = RawResult {
                    counts: result.counts,
                    pointers: result.pointers,
                };
                if (f.result_return_type)(copy) == HAS_ROWS {
                    let width = (f.column_count)(raw);
                    if let Some(at) = (0..width).find(|c| !readable((f.column_type)(raw, *c))) {
                        let name = text((f.column_name)(raw, at));
                        let what = format!("Gristmill Error: column {name} is of a type that is not read");
                        (f.destroy_result)(raw);
                        return Outcome::Refused(what);
                    }
                    let columns = (0..width).map(|c| text((f.column_name)(raw, c))).collect();
                    let cell = |column, row| {
                        if (f.value_is_null)(raw, column, row) {
                            return None;
                        }
                        let string = (f.value_string)(raw, column, row);
                        if string.data.is_null() {
                            return Some("(no text)".to_owned());
                        }
                        let size = usize::try_from(string.size).unwrap_or(0);
                        let bytes = std::slice::from_raw_parts(string.data.cast::<u8>(), size);
                        let text = String::from_utf8_lossy(bytes).into_owned();
                        (f.free)(string.data.cast());
                        Some(text)
                    };
                    let rows = (0..(f.row_count)(raw)).map(|row| (0..width).map(|c| cell(c, row)).collect());
                    Outcome::Rows(columns, rows.collect())
                } else {
                    Outcome::Changed((f.rows_changed)(raw))
                }
            } else {
                Outcome::Refused(text((f.result_error)(raw)))
            };
            (f.destroy_result)(raw);
            outcome
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "nobody has it any more")]
        unsafe {
            (self.database.functions.disconnect)(&raw mut self.raw);
        }
    }
}

fn c_string(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| "a NUL stands in it".to_owned())
}

/// A text of the library's; "" where there is none.
fn text(raw: *const c_char) -> String {
    if raw.is_null() {
        return String::new();
    }
    #[expect(unsafe_code, reason = "the library ends its texts with a NUL")]
    let text = unsafe { CStr::from_ptr(raw) };
    text.to_string_lossy().into_owned()
}
