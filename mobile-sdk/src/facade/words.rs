//! Errors in the words of a Chinese reader; `Display` has the English ones.

use super::PhoneError;
use callout_sync_protocol::problem::Rejection;

fn rejection_zh(rejection: &Rejection) -> String {
    format!("{}（{}）", rejection.problem.title_zh(), rejection.detail)
}

impl PhoneError {
    /// What happened, in Chinese.
    pub fn text_zh(&self) -> String {
        match self {
            Self::Rejected(rejection) => rejection_zh(rejection),
            Self::Server(rejection) => format!("服务器拒绝：{}", rejection_zh(rejection)),
            Self::SignInNeeded => "请先登录".to_owned(),
            Self::DeviceRevoked => "此设备已被停用；未上传的内容已保留，重新登录后上传".to_owned(),
            Self::NothingToMend => "没有可修改的内容：服务器并未拒绝，或已处理".to_owned(),
            Self::UnsentWork { items } => format!("本机还有 {items} 项未上传，请先同步"),
            Self::OtherUser { user_name } => format!("此数据目录属于 {user_name}，请使用另一个数据目录"),
            Self::OrderUnknown(name) => format!("没有名为 {name} 的工单"),
            Self::OrderAmbiguous(name) => format!("多个工单以 {name} 开头，请补充"),
            Self::FindingsIncomplete(missing) => {
                format!("现场结论已存为草稿，尚缺：{}", missing.join("、"))
            }
            Self::Network { reason, .. } => format!("网络不可用，数据未丢失（{reason}）"),
            Self::SyncRunning => "本机已有同步在进行".to_owned(),
            Self::Photo { path, cause } => format!("{}：不是可用的照片（{cause}）", path.display()),
            Self::Capture(cause) => format!("样本未能保存（{cause}）"),
            Self::Store(cause) => format!("本机存储错误（{cause}）"),
        }
    }
}
