//! The networks that a field test compares (R-TEST-1), and the PLMN codes by which phones know them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A mobile operator of mainland China.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, minicbor::Encode, minicbor::Decode,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum Operator {
    /// 中国移动
    #[n(0)]
    ChinaMobile,
    /// 中国联通
    #[n(1)]
    ChinaUnicom,
    /// 中国电信
    #[n(2)]
    ChinaTelecom,
    /// 中国广电
    #[n(3)]
    ChinaBroadnet,
}

/// The text names no operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected china_mobile, china_unicom, china_telecom or china_broadnet")]
pub struct OperatorError;

impl Operator {
    /// All of them; the index is the wire code.
    pub const ALL: [Self; 4] = [Self::ChinaMobile, Self::ChinaUnicom, Self::ChinaTelecom, Self::ChinaBroadnet];

    /// The three that every test covers unless it says why not (R-TEST-1).
    pub const REQUIRED: [Self; 3] = [Self::ChinaMobile, Self::ChinaUnicom, Self::ChinaTelecom];

    /// The number that stands for it on the wire.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The operator of a wire code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The name in API and code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChinaMobile => "china_mobile",
            Self::ChinaUnicom => "china_unicom",
            Self::ChinaTelecom => "china_telecom",
            Self::ChinaBroadnet => "china_broadnet",
        }
    }

    /// The name that a Chinese reader expects.
    pub fn name_zh(self) -> &'static str {
        match self {
            Self::ChinaMobile => "中国移动",
            Self::ChinaUnicom => "中国联通",
            Self::ChinaTelecom => "中国电信",
            Self::ChinaBroadnet => "中国广电",
        }
    }

    /// The operator of a public land mobile network code such as `46000`; Tietong's 46020 belongs to China Mobile.
    pub fn from_plmn(plmn: &str) -> Option<Self> {
        match plmn {
            "46000" | "46002" | "46004" | "46007" | "46008" | "46020" => Some(Self::ChinaMobile),
            "46001" | "46006" | "46009" => Some(Self::ChinaUnicom),
            "46003" | "46005" | "46011" => Some(Self::ChinaTelecom),
            "46015" => Some(Self::ChinaBroadnet),
            _ => None,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Operator {
    type Err = OperatorError;
    fn from_str(text: &str) -> Result<Self, OperatorError> {
        Self::ALL.into_iter().find(|o| o.as_str() == text).ok_or(OperatorError)
    }
}
