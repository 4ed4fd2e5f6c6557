//! What notices tell (R-CLASS-2, R-WARN-1). What does not belong here: who is told, and when (`major_cases`, `warnings`).

named_enum! {
    /// What a user is told: those answerable for a major complaint (R-CLASS-2), the recipients of an early warning (R-WARN-1).
    NoticeKind {
        /// A complaint became a major one.
        MajorOpened = "major_opened" / "列为重大升级投诉",
        /// Its team was named.
        MajorTeamNamed = "major_team_named" / "已组建临时小组",
        /// Its order moved on.
        MajorMoved = "major_moved" / "重大投诉有进展",
        /// It is still open.
        MajorStillOpen = "major_still_open" / "重大投诉尚未结束",
        /// It has ended.
        MajorEnded = "major_ended" / "重大投诉已结束",
        /// An early warning was let out to its recipients.
        WarningPublished = "warning_published" / "预警发布",
        /// What it warned of is over.
        WarningRecovered = "warning_recovered" / "预警恢复",
    }
}
