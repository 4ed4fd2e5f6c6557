//! Small types that several nouns share: enums as text, pages, region scope. What does not belong here: anything one noun owns.

use callout_sync_protocol::ids::RegionId;
use callout_sync_protocol::time::Timestamp;
pub use callout_sync_protocol::work_orders::UnknownName;

/// An enum whose variants are texts in API, database and code, with the words that a Chinese reader expects.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal / $zh:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in API, database and code.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The name that a Chinese reader expects.
            pub fn name_zh(self) -> &'static str {
                match self { $(Self::$variant => $zh),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::names::UnknownName;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($text => Ok(Self::$variant),)+ _ => Err($crate::names::UnknownName(stringify!($name))) }
            }
        }

        $crate::sql_types::word_value!($name);
    };
}
pub(crate) use text_enum;

text_enum! {
    /// Whether evidence counts.
    Standing {
        /// It counts.
        Accepted = "accepted" / "有效",
        /// It is kept and visible, with a reason, but does not count.
        Quarantined = "quarantined" / "隔离",
    }
}

/// Most rows that any list returns at once.
pub const MAX_PAGE: u32 = 500;

/// A page of a list that is ordered by (instant, id), newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<Id> {
    /// The last entry of the page before; absent for the first page.
    pub after: Option<(Timestamp, Id)>,
    /// How many rows at most; held within 1 … 500.
    pub limit: u32,
}

impl<Id> Page<Id> {
    /// The first page.
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }

    pub(crate) fn limit(&self) -> i64 {
        limit(self.limit)
    }
}

pub(crate) fn limit(limit: u32) -> i64 {
    i64::from(limit.clamp(1, MAX_PAGE))
}

/// Which regions a list may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegionScope {
    /// Every region, and what is in none.
    All,
    /// Only these.
    Only {
        /// The regions; none means nothing.
        region_ids: Vec<RegionId>,
        /// Also what no region has been found for yet.
        and_unlocated: bool,
    },
}

impl RegionScope {
    /// What lies in both scopes.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, scope) | (scope, Self::All) => scope,
            (
                Self::Only { region_ids, and_unlocated },
                Self::Only { region_ids: others, and_unlocated: other_unlocated },
            ) => Self::Only {
                region_ids: region_ids.into_iter().filter(|id| others.contains(id)).collect(),
                and_unlocated: and_unlocated && other_unlocated,
            },
        }
    }

    /// Whether something of this region (none: not located yet) may be shown.
    pub fn contains(&self, region_id: Option<RegionId>) -> bool {
        match self {
            Self::All => true,
            Self::Only { region_ids, and_unlocated } => match region_id {
                Some(region_id) => region_ids.contains(&region_id),
                None => *and_unlocated,
            },
        }
    }
}

/// The part of a list after a page's end, in the order newest first; the plain bound lets the index do the work.
macro_rules! keyset {
    ($query:expr, $table:ident, $instant:ident, $id:ident, $page:expr) => {{
        let mut query = $query;
        if let Some((instant, id)) = &$page.after {
            query = query.filter($table::$instant.le($crate::sql_types::bind(instant))).filter(
                $table::$instant.lt($crate::sql_types::bind(instant)).or($table::$id.lt($crate::sql_types::bind(id))),
            );
        }
        query.order(($table::$instant.desc(), $table::$id.desc())).limit($page.limit())
    }};
}
pub(crate) use keyset;

/// Keeps the rows whose region the scope holds; the column may come from an outer join.
macro_rules! in_scope {
    ($query:expr, $region_id:expr, $scope:expr, $regions:ident) => {{
        let mut query = $query;
        // Lives as long as the query that cites it.
        $regions = match $scope {
            $crate::names::RegionScope::All => Vec::new(),
            $crate::names::RegionScope::Only { region_ids, .. } => {
                region_ids.iter().copied().map(Some).collect::<Vec<_>>()
            }
        };
        if let $crate::names::RegionScope::Only { and_unlocated, .. } = $scope {
            let is_listed = $region_id.eq_any($regions.iter().map($crate::sql_types::bind));
            query =
                if *and_unlocated { query.filter(is_listed.or($region_id.is_null())) } else { query.filter(is_listed) };
        }
        query
    }};
}
pub(crate) use in_scope;

/// A version-checked update touched its one row.
pub(crate) fn updated(rows: usize, what: &'static str) -> Result<(), crate::error::StorageError> {
    if rows == 1 { Ok(()) } else { Err(crate::error::StorageError::Conflict { what }) }
}
