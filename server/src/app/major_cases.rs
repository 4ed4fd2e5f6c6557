//! Major escalated complaints (重大升级投诉): found at intake or declared by a person (R-CLASS-1); a named temporary team, the fast track,
//! and notices to those answerable until the complaint ends (R-CLASS-2).
//!
//! Notices are rows that desks read; nothing is sent. What does not belong here: what makes a complaint a major one
//! (`workflow::complaints`).

use super::App;
use super::access::{Caller, Role};
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use super::notices::NoticeAbout;
use crate::jobs::MAJOR_REMIND;
use crate::workflow::complaints::{
    ComplaintWeight, IntakePolicy, MajorReason, MajorTeam, major_reasons, major_team_check,
};
use crate::workflow::intakes::{box_around, complaints_apart_m};
use crate::workflow::notices::NoticeKind;
use crate::workflow::required_text;
use crate::workflow::work_orders::WorkOrderCommand;
use callout_storage::complaints::{Complaint, ComplaintState};
use callout_storage::intakes::{Intake, grid_cells_around};
use callout_storage::major_cases::{MAJOR_CASE_ENDED, MAJOR_CASE_OPEN, MajorCase, MajorCaseMember};
use callout_storage::{Page, Tx};
use callout_sync_protocol::ids::{ComplaintId, MajorCaseId, UserId};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::work_orders::Urgency;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A major complaint with its team.
#[derive(Clone, Debug)]
pub struct MajorCaseSeen {
    /// The case.
    pub case: MajorCase,
    /// The team beside its leader.
    pub members: Vec<MajorCaseMember>,
}

/// What a person declares.
#[derive(Clone, Debug)]
pub struct MajorDeclaration {
    /// The complaint.
    pub complaint_id: ComplaintId,
    /// Why it is a major one.
    pub reasons: Vec<MajorReason>,
    /// In words.
    pub explanation: String,
}

impl App {
    /// Whether a complaint just taken makes its case a major one (R-CLASS-1); declares it where it does. `lead` is the complaint that has
    /// the order, `failed_handlings` how often that one came back.
    pub(crate) fn major_detect(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        lead: ComplaintId,
        failed_handlings: u32,
        intake: &Intake,
        policy: &IntakePolicy,
    ) -> AppResult<()> {
        let comes_from_above = matches!(
            intake.channel,
            callout_storage::complaints::Channel::GroupHotline | callout_storage::complaints::Channel::Regulator
        );
        let weight = ComplaintWeight {
            failed_handlings,
            // Taken again, or by a higher door: it is still rising.
            is_rising: intake.related_id.is_some() || comes_from_above,
            disturbs_business: intake.is_disturbing || comes_from_above,
            has_wide_reach: self.wide_reach(tx, intake, policy)?,
            joint_customers: intake.joint_customers,
            ..ComplaintWeight::default()
        };
        let reasons = major_reasons(&weight, policy);
        if reasons.is_empty() {
            return Ok(());
        }
        let facts = json!({
            "failed_handlings": weight.failed_handlings, "joint_customers": weight.joint_customers,
            "has_wide_reach": weight.has_wide_reach, "found_by_complaint_id": intake.complaint_id,
        });
        self.major_case_declare(tx, caller, None, lead, &reasons, "", facts)?;
        Ok(())
    }

    /// Whether so many customers have the same symptom at the same place that the cause must be common.
    fn wide_reach(&self, tx: &mut Tx, intake: &Intake, policy: &IntakePolicy) -> AppResult<bool> {
        let Some(position) = intake.position() else { return Ok(false) };
        let half = box_around(position.latitude_e6, policy.same_place_m);
        let squares = grid_cells_around((position.latitude_e6, position.longitude_e6), half);
        let since = intake.received_at.plus_seconds(-86_400 * i64::from(policy.wide_reach_days));
        // Newest first in each square: as many as are needed, with room for those at the square's other end.
        let each = policy.wide_reach_customers.saturating_mul(4).max(20);
        let customers: BTreeSet<[u8; 32]> = tx
            .intake_list_in_squares(&squares, intake.symptom, each)?
            .into_iter()
            .filter(|other| other.received_at >= since && other.received_at <= intake.received_at)
            .filter(|other| {
                complaints_apart_m(Some(position), other.position())
                    .is_some_and(|metres| metres <= f64::from(policy.same_place_m))
            })
            .map(|other| other.customer_digest)
            .chain([intake.customer_digest])
            .collect();
        Ok(customers.len() >= policy.wide_reach_customers as usize)
    }

    /// Makes a complaint a major one, or adds reasons to its open case.
    #[allow(clippy::too_many_arguments, reason = "each is a fact of the declaration")]
    fn major_case_declare(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        declared_by: Option<UserId>,
        complaint_id: ComplaintId,
        reasons: &[MajorReason],
        explanation: &str,
        facts: Value,
    ) -> AppResult<MajorCase> {
        let now = self.env.now();
        let mut words: Vec<String> = reasons.iter().map(|reason| reason.as_str().to_owned()).collect();
        if let Some(mut case) = tx.major_case_open_by_complaint(complaint_id)? {
            words.retain(|word| !case.reasons.contains(word));
            if !words.is_empty() {
                case.reasons.extend(words);
                case.updated_at = now;
                tx.major_case_update(&mut case)?;
                self.major_event(tx, &case, "major_case_reasons_added", Some(caller), explanation, facts)?;
            }
            return Ok(case);
        }
        let case = MajorCase {
            id: self.env.id(),
            complaint_id,
            state: MAJOR_CASE_OPEN.to_owned(),
            reasons: words,
            explanation: explanation.trim().to_owned(),
            leader_id: None,
            declared_by,
            opened_at: now,
            closed_by: None,
            closed_at: None,
            closing_words: None,
            updated_at: now,
            version: 1,
        };
        tx.major_case_insert(&case)?;
        self.major_event(tx, &case, "major_case_opened", Some(caller), explanation, facts)?;
        self.major_press(tx, caller, complaint_id, &case.reasons.join(", "))?;
        self.major_notify(tx, &case, NoticeKind::MajorOpened, json!({ "reasons": case.reasons }))?;
        let remind_at = now.plus_seconds(self.major_reminder_seconds(tx, complaint_id)?);
        self.job_enqueue(tx, MAJOR_REMIND, case.id, remind_at, Value::Null)?;
        Ok(case)
    }

    fn major_event(
        &self,
        tx: &mut Tx,
        case: &MajorCase,
        action: &str,
        caller: Option<&Caller>,
        reason: &str,
        facts: Value,
    ) -> AppResult<()> {
        let draft = EventDraft::new(Subject::Complaint(case.complaint_id), action)
            .detail(json!({ "major_case_id": case.id, "reasons": case.reasons, "facts": facts }));
        let draft = caller.into_iter().fold(draft, EventDraft::by);
        self.event_append(tx, if reason.trim().is_empty() { draft } else { draft.reason(reason.trim()) })
    }

    /// The fast track (R-CLASS-2): the highest urgency, and the shorter limits.
    fn major_press(&self, tx: &mut Tx, caller: &Caller, complaint_id: ComplaintId, why: &str) -> AppResult<()> {
        self.clock_fast_track(tx, complaint_id, why)?;
        let order = match tx.work_order_by_complaint(complaint_id)? {
            Some(order) => tx.work_order_lock(order.id)?,
            None => None,
        };
        match order {
            Some(mut order) if !order.state.is_final() && order.urgency < Urgency::Critical => {
                let command = WorkOrderCommand::Chase { urgency: Some(Urgency::Critical), note: None };
                let facts = self.work_order_facts(tx, &order)?;
                let detail = json!({ "is_major": true });
                self.work_order_command(tx, Some(caller), &mut order, &command, &facts, detail)?;
            }
            Some(_) => {}
            None => {
                if let Some(mut intake) = tx.intake_lock(complaint_id)? {
                    intake.urgency = Urgency::Critical;
                    tx.intake_update(&mut intake)?;
                }
            }
        }
        Ok(())
    }

    /// Those answerable: the team, whoever took the complaint first, and while no team is named the region's leads and quality control.
    fn major_answerable(&self, tx: &mut Tx, case: &MajorCase) -> AppResult<BTreeSet<UserId>> {
        let mut answerable: BTreeSet<UserId> = tx
            .major_case_member_list(case.id)?
            .into_iter()
            .map(|member| member.user_id)
            .chain(case.leader_id)
            .collect();
        if case.leader_id.is_none()
            && let Some(region) = tx.complaint_by_id(case.complaint_id)?.and_then(|complaint| complaint.region_id)
        {
            let users = tx.user_list_by_region(region)?;
            let told = [Role::RegionalLead, Role::QualityControl];
            answerable.extend(
                users.iter().filter(|user| user.roles.iter().any(|role| told.contains(role))).map(|user| user.id),
            );
        }
        answerable.extend(tx.intake_by_complaint(case.complaint_id)?.map(|intake| intake.first_contact_id));
        Ok(answerable)
    }

    fn major_notify(&self, tx: &mut Tx, case: &MajorCase, kind: NoticeKind, detail: Value) -> AppResult<()> {
        for recipient_id in self.major_answerable(tx, case)? {
            let about = NoticeAbout::MajorCase { id: case.id, complaint_id: case.complaint_id };
            self.notice_tell(tx, recipient_id, kind, about, detail.clone())?;
        }
        Ok(())
    }

    /// Tells those answerable for a complaint's open major case, if it has one.
    pub(crate) fn major_tell(&self, tx: &mut Tx, complaint_id: ComplaintId, detail: Value) -> AppResult<()> {
        match tx.major_case_open_by_complaint(complaint_id)? {
            Some(case) => self.major_notify(tx, &case, NoticeKind::MajorMoved, detail),
            None => Ok(()),
        }
    }

    /// The complaint has ended, and with it its open major case.
    pub(crate) fn major_end(&self, tx: &mut Tx, complaint_id: ComplaintId) -> AppResult<()> {
        match tx.major_case_open_by_complaint(complaint_id)? {
            Some(case) => self.major_case_end(tx, case, None, "the complaint has ended 投诉已结束"),
            None => Ok(()),
        }
    }

    fn major_case_end(&self, tx: &mut Tx, mut case: MajorCase, caller: Option<&Caller>, words: &str) -> AppResult<()> {
        let now = self.env.now();
        case.state = MAJOR_CASE_ENDED.to_owned();
        case.closed_by = caller.map(|caller| caller.user_id);
        case.closed_at = Some(now);
        case.closing_words = Some(words.trim().to_owned());
        case.updated_at = now;
        tx.major_case_update(&mut case)?;
        self.major_event(tx, &case, "major_case_ended", caller, words, Value::Null)?;
        self.major_notify(tx, &case, NoticeKind::MajorEnded, Value::Null)?;
        tx.job_cancel(MAJOR_REMIND, case.id.into(), now)?;
        Ok(())
    }

    fn major_reminder_seconds(&self, tx: &mut Tx, id: ComplaintId) -> AppResult<i64> {
        let region_id = tx.complaint_by_id(id)?.and_then(|complaint| complaint.region_id);
        Ok(3_600 * i64::from(self.policy::<IntakePolicy>(tx, region_id)?.major_reminder_hours))
    }

    /// Tells those answerable once more that a major complaint is open, and comes again; a job.
    pub(crate) fn major_remind(&self, id: MajorCaseId) -> AppResult<()> {
        let now = self.env.now();
        self.storage.write("major_remind", |tx| {
            let Some(case) = tx.major_case_lock(id)?.filter(|case| case.state == MAJOR_CASE_OPEN) else {
                return Ok(());
            };
            let every = self.major_reminder_seconds(tx, case.complaint_id)?;
            // A job may be done twice: the reminder of this turn is already there.
            let next =
                tx.job_list_by_subject(id.into())?.iter().any(|job| job.finished_at.is_none() && job.run_at > now);
            if next {
                return Ok(());
            }
            let open_hours = now.micros_since(case.opened_at) / 3_600_000_000;
            self.major_notify(tx, &case, NoticeKind::MajorStillOpen, json!({ "open_hours": open_hours }))?;
            self.job_enqueue(tx, MAJOR_REMIND, id, now.plus_seconds(every), Value::Null)
        })
    }

    /// A person declares a complaint a major one (R-CLASS-1).
    ///
    /// # Errors
    /// `illegal-transition` when the complaint has ended; `invalid-field` without a reason.
    pub fn major_case_create(&self, caller: &Caller, declaration: &MajorDeclaration) -> AppResult<MajorCaseSeen> {
        required_text("explanation", &declaration.explanation)?;
        if declaration.reasons.is_empty() || declaration.reasons.len() > MajorReason::ALL.len() {
            return Err(AppError::invalid("reasons", "name at least one reason, each once (R-CLASS-1)"));
        }
        let reasons: Vec<MajorReason> =
            declaration.reasons.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        self.storage.write("major_case_create", |tx| {
            let complaint = self.complaint_in_scope(tx, caller, declaration.complaint_id)?;
            let lead = self.lead_of(tx, &complaint)?;
            if is_over(&lead) {
                return Err(AppError::new(
                    ProblemType::IllegalTransition,
                    format!("the complaint has ended; it is '{}'", lead.state),
                ));
            }
            let case = self.major_case_declare(
                tx,
                caller,
                Some(caller.user_id),
                lead.id,
                &reasons,
                &declaration.explanation,
                Value::Null,
            )?;
            self.major_case_seen(tx, case)
        })
    }

    fn lead_of(&self, tx: &mut Tx, complaint: &Complaint) -> AppResult<Complaint> {
        let lead = tx.intake_by_complaint(complaint.id)?.and_then(|intake| intake.handled_under_id);
        match lead {
            Some(lead) => tx.complaint_by_id(lead)?.ok_or_else(|| AppError::not_found("complaint")),
            None => Ok(complaint.clone()),
        }
    }

    fn major_case_seen(&self, tx: &mut Tx, case: MajorCase) -> AppResult<MajorCaseSeen> {
        Ok(MajorCaseSeen { members: tx.major_case_member_list(case.id)?, case })
    }

    fn major_case_for(&self, tx: &mut Tx, caller: &Caller, id: MajorCaseId) -> AppResult<MajorCase> {
        let not_found = || AppError::not_found("major complaint");
        let case = tx.major_case_lock(id)?.ok_or_else(not_found)?;
        let scope = self.caller_scope(tx, caller)?;
        tx.complaint_by_id(case.complaint_id)?
            .filter(|complaint| scope.contains(complaint.region_id))
            .map(|_| case)
            .ok_or_else(not_found)
    }

    fn major_case_open_for(&self, tx: &mut Tx, caller: &Caller, id: MajorCaseId) -> AppResult<MajorCase> {
        let case = self.major_case_for(tx, caller, id)?;
        if case.state == MAJOR_CASE_OPEN {
            Ok(case)
        } else {
            Err(AppError::new(ProblemType::IllegalTransition, "the major complaint has ended"))
        }
    }

    /// Names the temporary team (R-CLASS-2), or another one.
    ///
    /// # Errors
    /// `invalid-field` that names who cannot be in it; `illegal-transition` when it has ended.
    pub fn major_case_team_name(&self, caller: &Caller, id: MajorCaseId, team: &MajorTeam) -> AppResult<MajorCaseSeen> {
        major_team_check(team)?;
        self.storage.write("major_case_team_name", |tx| {
            let mut case = self.major_case_open_for(tx, caller, id)?;
            for (field, user) in
                std::iter::once(("leader", team.leader)).chain(team.members.iter().map(|(user, _)| ("members", *user)))
            {
                if !tx.user_by_id(user)?.is_some_and(|user| user.is_active) {
                    return Err(AppError::invalid(field, "names somebody who is not there or not active"));
                }
            }
            let members: Vec<MajorCaseMember> = team
                .members
                .iter()
                .map(|(user_id, duty)| MajorCaseMember {
                    major_case_id: id,
                    user_id: *user_id,
                    duty: duty.trim().to_owned(),
                })
                .collect();
            tx.major_case_members_replace(id, &members)?;
            case.leader_id = Some(team.leader);
            case.updated_at = self.env.now();
            tx.major_case_update(&mut case)?;
            let users: Vec<UserId> = members.iter().map(|member| member.user_id).collect();
            let facts = json!({ "leader_id": team.leader, "member_ids": users });
            self.major_event(tx, &case, "major_case_team_named", Some(caller), "", facts.clone())?;
            self.major_notify(tx, &case, NoticeKind::MajorTeamNamed, facts)?;
            self.major_case_seen(tx, case)
        })
    }

    /// Ends a major case before its complaint ends: it turned out to be an ordinary one.
    ///
    /// # Errors
    /// `illegal-transition` when it has ended; `invalid-field` without words.
    pub fn major_case_close(&self, caller: &Caller, id: MajorCaseId, words: &str) -> AppResult<MajorCaseSeen> {
        required_text("words", words)?;
        self.storage.write("major_case_close", |tx| {
            let case = self.major_case_open_for(tx, caller, id)?;
            self.major_case_end(tx, case, Some(caller), words)?;
            let case = tx.major_case_by_id(id)?.ok_or_else(|| AppError::not_found("major complaint"))?;
            self.major_case_seen(tx, case)
        })
    }

    /// A major complaint of the caller's regions.
    pub fn major_case_show(&self, caller: &Caller, id: MajorCaseId) -> AppResult<MajorCaseSeen> {
        let not_found = || AppError::not_found("major complaint");
        self.storage.read("major_case_show", |tx| {
            let case = tx.major_case_by_id(id)?.ok_or_else(not_found)?;
            let scope = self.caller_scope(tx, caller)?;
            let complaint = tx.complaint_by_id(case.complaint_id)?.ok_or_else(not_found)?;
            if !scope.contains(complaint.region_id) {
                return Err(not_found());
            }
            self.major_case_seen(tx, case)
        })
    }

    /// Major complaints of the caller's regions, newest first.
    pub fn major_case_list(
        &self,
        caller: &Caller,
        is_open: Option<bool>,
        page: Page<MajorCaseId>,
    ) -> AppResult<Vec<MajorCaseSeen>> {
        self.storage.read("major_case_list", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let cases = tx.major_case_list(&scope, is_open, &page)?;
            cases.into_iter().map(|case| self.major_case_seen(tx, case)).collect()
        })
    }
}

/// Nothing more is done about it. An unresolved one lives on in its tracking ticket.
fn is_over(complaint: &Complaint) -> bool {
    complaint.state.is_final() && complaint.state != ComplaintState::Unresolved
}
