//! The one list of what can go wrong, as RFC 9457 problem types: stable URI, HTTP status, title in English and Chinese.
//!
//! A refused command and a refused HTTP request use the same names, so that a phone, a console and an EOMS show the same words.
//! What does not belong here: the inner cause, which goes to the log only.

use crate::work_orders::UnknownName;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

macro_rules! problems {
    ($($(#[$doc:meta])* $number:literal $variant:ident = $slug:literal, $status:literal, $en:literal, $zh:literal;)+) => {
        /// A problem type. Its URI is `urn:callout:problem:<slug>`; numbers and slugs never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
        #[cbor(index_only)]
        pub enum ProblemType {
            $($(#[$doc])* #[n($number)] $variant),+
        }

        impl ProblemType {
            /// All of them, in the order of their wire numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The number on the wire.
            pub fn number(self) -> u32 {
                match self { $(Self::$variant => $number),+ }
            }

            /// The problem of a number on the wire; [`ProblemType::Unrecognised`] for one of a newer list.
            pub fn of_number(number: u32) -> Self {
                match number { $($number => Self::$variant,)+ _ => Self::Unrecognised }
            }

            /// The last part of the URI.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug),+ }
            }

            /// The HTTP status with which a request of this outcome is answered.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// The title in English.
            pub fn title_en(self) -> &'static str {
                match self { $(Self::$variant => $en),+ }
            }

            /// The title in Chinese.
            pub fn title_zh(self) -> &'static str {
                match self { $(Self::$variant => $zh),+ }
            }
        }

        impl FromStr for ProblemType {
            type Err = UnknownName;
            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text { $($slug => Ok(Self::$variant),)+ _ => Err(UnknownName("ProblemType")) }
            }
        }
    };
}

problems! {
    /// The body or a parameter cannot be read.
    0 MalformedRequest = "malformed-request", 400, "The request cannot be read", "无法读取请求";
    /// A field breaks its bounds.
    1 InvalidField = "invalid-field", 422, "A field is not valid", "字段无效";
    /// Too many bytes or entries.
    2 TooLarge = "too-large", 413, "The request is too large", "请求过大";
    /// The content type is not served here.
    3 UnsupportedMediaType = "unsupported-media-type", 415, "This content type is not supported", "不支持的内容类型";
    /// No valid token.
    4 Unauthenticated = "unauthenticated", 401, "Sign in first", "请先登录";
    /// The role or region does not allow it.
    5 Forbidden = "forbidden", 403, "You are not allowed to do this", "没有权限";
    /// No such thing, or none that the caller may see.
    6 NotFound = "not-found", 404, "Not found", "未找到";
    /// The path exists, the method does not.
    7 MethodNotAllowed = "method-not-allowed", 405, "This method is not allowed here", "不允许的方法";
    /// The state does not allow it.
    8 IllegalTransition = "illegal-transition", 409, "Not possible in the present state", "当前状态不允许此操作";
    /// The order is with another tester.
    9 NotAssigned = "not-assigned", 409, "The order is not assigned to you", "工单未派给您";
    /// A key of idempotency was used for something else.
    10 IdempotencyConflict = "idempotency-conflict", 409, "This id was used for something else", "该标识已用于其他请求";
    /// Inside the customer's hours of rest (R-CONTACT-1).
    11 CustomerRestHours = "customer-rest-hours", 409, "The customer is not to be contacted at this hour", "客户休息时段不可联系";
    /// Photos need the customer's consent (R-VISIT-2).
    12 ConsentMissing = "consent-missing", 409, "The customer has not consented to photos", "客户未同意拍照";
    /// A test lacks an operator without a reason (R-TEST-1).
    13 OperatorMissing = "operator-missing", 409, "A network was not tested and no reason is given", "缺少某运营商测试且未说明原因";
    /// A test lacks its findings (R-TEST-2).
    14 FindingsMissing = "findings-missing", 409, "The findings are missing", "缺少现场结论";
    /// Cited evidence has not arrived yet.
    15 EvidenceMissing = "evidence-missing", 409, "Cited evidence has not arrived", "引用的证据尚未到达";
    /// The place is not exact enough (R-LOCATE-1).
    16 LocationMissing = "location-missing", 409, "The address is not exact enough", "地址不够精确";
    /// An earlier rung is not spent (R-LADDER-2).
    17 RungSkipped = "rung-skipped", 409, "An earlier step is not tried or ruled out yet", "前一步骤尚未尝试或排除";
    /// A step lacks evidence (R-LADDER-2).
    18 LadderEvidenceMissing = "ladder-evidence-missing", 409, "The step needs evidence", "该步骤需要证据";
    /// No confirmed revisit (R-RETURN-3).
    19 RevisitMissing = "revisit-missing", 409, "The customer has not confirmed yet", "客户尚未确认";
    /// The one-time link is used up or too old.
    20 LinkExpired = "link-expired", 410, "This link is no longer valid", "链接已失效";
    /// The digest is another than promised.
    21 HashMismatch = "hash-mismatch", 460, "The content does not match its hash", "内容与校验值不符";
    /// The block cannot be decoded, or holds impossible values.
    22 BlockInvalid = "block-invalid", 422, "The sample block is not valid", "样本数据块无效";
    /// The block's signature is not the enrolled device's.
    23 SignatureInvalid = "signature-invalid", 422, "The signature is not valid", "签名无效";
    /// The image cannot be decoded, or is too large once decoded.
    24 ImageInvalid = "image-invalid", 422, "The image is not valid", "图片无效";
    /// An upload's offset is another than the server's.
    25 OffsetConflict = "offset-conflict", 409, "The upload continues at another offset", "上传偏移不一致";
    /// The upload was ended or is too old.
    26 UploadGone = "upload-gone", 410, "The upload no longer exists", "上传已不存在";
    /// A protocol version that is no longer, or not yet, served.
    27 UnsupportedVersion = "unsupported-version", 426, "This version is not supported", "不支持该版本";
    /// Too many requests.
    28 TooManyRequests = "too-many-requests", 429, "Too many requests", "请求过于频繁";
    /// A refresh token was used twice; its sessions are ended.
    29 SessionRevoked = "session-revoked", 401, "The session was ended; sign in again", "会话已终止，请重新登录";
    /// A fault of the server.
    30 Internal = "internal", 500, "Something went wrong on our side", "服务器内部错误";
    /// The server is busy or its store cannot be reached.
    31 Unavailable = "unavailable", 503, "Temporarily unavailable", "服务暂不可用";
    /// A required precondition header is missing.
    32 VersionConflict = "version-conflict", 412, "It was changed by somebody else meanwhile", "内容已被他人修改";
    /// Something of that name exists.
    33 AlreadyExists = "already-exists", 409, "It exists already", "已存在";
    /// The user name or password is wrong.
    34 WrongCredentials = "wrong-credentials", 401, "User name or password is wrong", "用户名或密码错误";
    /// The version of the upload protocol (tus) is not served; it demands this status.
    35 UploadVersionUnsupported = "upload-version-unsupported", 412, "This version of the upload protocol is not supported", "不支持该上传协议版本";
    /// The device was revoked by an administrator. A phone that is told so removes personal data and what the server has.
    36 DeviceRevoked = "device-revoked", 401, "This device was revoked", "此设备已被停用";
    /// A number of a newer list than the reader's; the sentence beside it says what is wrong.
    255 Unrecognised = "unrecognised", 409, "Refused for a reason that this version cannot name", "因本版本无法识别的原因被拒绝";
}

/// The last number that readers of protocol version 1 know; they refuse a whole answer with any other.
const LAST_OF_VERSION_1: u32 = 35;

impl<'b, C> Decode<'b, C> for ProblemType {
    /// A number of a newer list is read all the same, so that one rejection never makes a whole answer unreadable.
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(Self::of_number(d.u32()?))
    }
}

impl ProblemType {
    /// As a reader of that protocol version can understand it: the nearest of the same status where it does not know this one.
    #[must_use]
    pub fn for_version(self, version: u8) -> Self {
        if version >= 2 || self.number() <= LAST_OF_VERSION_1 {
            return self;
        }
        let of_version_1 = |known: &Self| known.number() <= LAST_OF_VERSION_1;
        let nearest = Self::ALL.iter().copied().filter(of_version_1).find(|known| known.status() == self.status());
        nearest.unwrap_or(Self::IllegalTransition)
    }

    /// The stable URI of RFC 9457 §3.1.1.
    pub fn uri(self) -> String {
        format!("urn:callout:problem:{}", self.slug())
    }
}

impl fmt::Display for ProblemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

impl Serialize for ProblemType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.slug())
    }
}

impl<'de> Deserialize<'de> for ProblemType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a command, block or photo was refused: the type, and a sentence in the reader's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode, thiserror::Error)]
#[error("{problem}: {detail}")]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// The type.
    #[n(0)]
    pub problem: ProblemType,
    /// What exactly, naming the field where one is to blame.
    #[n(1)]
    pub detail: String,
}

impl Rejection {
    /// A rejection with its sentence.
    pub fn new(problem: ProblemType, detail: impl Into<String>) -> Self {
        Self { problem, detail: detail.into() }
    }
}
