//! The words with which a talk with a customer begins and ends (R-CONTACT-2): every phone has these; where an administrator sets
//! others, they travel with the order.
//!
//! What does not belong here: words that must not be used (server, `workflow::replies`).

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// The words in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct TalkWords {
    /// To begin with.
    #[n(0)]
    pub opening: String,
    /// To end with.
    #[n(1)]
    pub closing: String,
}

/// The words in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields, default)]
pub struct ContactWords {
    /// In Chinese.
    #[n(0)]
    pub zh: TalkWords,
    /// In English.
    #[n(1)]
    pub en: TalkWords,
}

impl Default for ContactWords {
    fn default() -> Self {
        let words = |opening: &str, closing: &str| TalkWords { opening: opening.into(), closing: closing.into() };
        Self {
            zh: words(
                "您好，我是移动公司网络测试人员，来电了解您反映的网络问题，请问现在方便吗？",
                "感谢您的配合。之后可能会有回访电话请您打分（满分十分），如有问题请随时联系我。再见！",
            ),
            en: words(
                "Hello, I am a network tester of China Mobile and call about the problem that you reported. Is now a good time?",
                "Thank you for your help. A revisit call may follow that asks for a score out of ten. Please contact me at any time. Goodbye!",
            ),
        }
    }
}
