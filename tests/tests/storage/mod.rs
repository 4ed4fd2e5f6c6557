//! The store's conformance: one suite, run on SQLite and on PostgreSQL through the store's public functions.

mod audit;
mod board;
mod clocks;
mod desk;
mod evidence;
mod feeds;
mod fixtures;
mod intake;
mod overview;
mod people;
mod policies;
mod schema;
mod trail;
mod units_of_work;
mod work;

/// Makes two tests of each function, one a database.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[test]
                fn $name() {
                    let temporary = callout_storage::Storage::temporary().unwrap();
                    super::$name(&temporary.storage);
                }
            )+
        }

        mod postgres {
            $(
                #[test]
                fn $name() {
                    let what_for = concat!(module_path!(), "::", stringify!($name));
                    if let Some(storage) = callout_tests::postgres::fresh_storage(what_for).unwrap() {
                        super::$name(&storage);
                    }
                }
            )+
        }
    };
}
pub(crate) use on_both_databases;
