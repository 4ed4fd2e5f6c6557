//! The story, act by act, as the README tells it. Every step goes over real HTTP; what each act proves is checked in it.
//!
//! What does not belong here: how phones and desks do things (`phones`, `child_phone`, `desk`), the final count (`reckoning`).

use super::child_phone::ChildPhone;
use super::customer::customer_answers;
use super::house::{House, desk_failed};
use super::material::Material;
use super::phones::{FieldPhone, SyncBytes, findings};
use super::progress::{Progress, require};
use super::proxy::Direction;
use super::reckoning::Captured;
use crate::desk::{Complaint as ComplaintView, FieldTest, WorkOrder};
use crate::{CommandError, CommandResult};
use callout_mobile_sdk::synthetic::Complaint;
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::time::Timestamp;
use serde_json::{Value, json};
use std::path::Path;
use std::thread;
use uuid::Uuid;

/// The numbers of the story's complaints, which are also those of its visits.
const SENT_BACK: usize = 0;
const RESOLVED: usize = 1;
const KILLED: usize = 2;
const REASSIGNED: usize = 3;
const BUSINESS: usize = 4;

/// Where the first phone's request is cut: behind HTTP's own bytes, before the end of even a short visit's request.
const CUT_AFTER_BYTES: u64 = 1_500;

/// Everything that the story needs.
pub struct Story<'a> {
    /// Tells.
    pub progress: &'a Progress,
    /// The server and its desks.
    pub house: &'a House,
    /// Complaints, logs, photos.
    pub material: &'a Material,
    /// Where phones keep their data.
    pub folder: &'a Path,
    /// The time, from the system's clock.
    pub now: fn() -> Timestamp,
}

/// What the story leaves for the final count.
pub struct Told {
    /// What was captured for which order.
    pub captured: Vec<Captured>,
    /// Samples that the phones acknowledged.
    pub acknowledged: u64,
    /// Samples of the phones whose bytes were counted.
    pub metered_samples: u64,
    /// Bytes that those phones sent to the sync endpoint.
    pub sync_bytes: SyncBytes,
    /// How often a network broke.
    pub network_cuts: u64,
    /// How many samples were safe when the third phone was killed.
    pub safe_at_kill: u64,
    /// The order of the long story.
    pub main_order: Uuid,
}

/// What went out of T1's door to one tester.
struct Dispatched {
    order: Uuid,
    number: String,
}

impl Dispatched {
    fn id(&self) -> WorkOrderId {
        WorkOrderId(self.order)
    }
}

impl Story<'_> {
    /// Tells all of it.
    ///
    /// # Errors
    /// At the first thing that does not hold.
    pub fn tell(&self) -> CommandResult<Told> {
        let complaints = self.complaints_come_in()?;
        let orders = self.orders_go_out(&complaints)?;
        let [sent_back, resolved, killed, reassigned] = &orders;

        let (mut first, mut second) = (self.phone("tester-1")?, self.phone("tester-2")?);
        let third = ChildPhone::new(&self.folder.join("tester-3"), &format!("http://{}", self.house.address()))?;
        self.progress.act("Three phones work, with no network", "三部手机离线作业");
        let safe_at_kill = thread::scope(|scope| {
            let first_works = scope.spawn(|| self.first_phone_works(&mut first, sent_back));
            let second_works = scope.spawn(|| self.second_phone_works(&mut second, resolved, reassigned));
            let third_works = scope.spawn(|| self.third_phone_works(&third, killed));
            joined(first_works)?;
            joined(second_works)?;
            joined(third_works)
        })?;
        let mut captured = Vec::new();
        for (visit, order) in [(SENT_BACK, sent_back), (RESOLVED, resolved), (KILLED, killed)] {
            captured.extend(self.material.logs(visit)?.into_iter().map(|log| Captured { order: order.order, log }));
        }
        let partial = self.material.logs(REASSIGNED)?.into_iter().take(1);
        captured.extend(partial.map(|log| Captured { order: reassigned.order, log }));

        self.reassigned_meanwhile(reassigned)?;
        self.phones_sync(&mut first, &mut second, reassigned)?;
        self.lead_reviews(&mut first, sent_back)?;
        self.branch_and_ticket(sent_back)?;
        self.others_are_resolved(&[resolved, killed])?;
        self.new_tester_takes_over(&mut first, reassigned)?;

        let metered_samples = first.captured_samples()? + second.captured_samples()?;
        Ok(Told {
            captured,
            acknowledged: metered_samples + third.captured_samples()?,
            metered_samples,
            sync_bytes: SyncBytes {
                answered: first.sync_bytes().answered + second.sync_bytes().answered,
                in_vain: first.sync_bytes().in_vain + second.sync_bytes().in_vain,
            },
            network_cuts: first.network_cuts() + second.network_cuts(),
            safe_at_kill,
            main_order: sent_back.order,
        })
    }

    fn phone(&self, user_name: &str) -> CommandResult<FieldPhone> {
        let mut phone = FieldPhone::new(&self.folder.join(user_name), user_name, self.house.address())?;
        phone.sign_in(&self.house.account(user_name)?.password)?;
        Ok(phone)
    }

    /// R-INTAKE-1, R-INTAKE-2: complaints come in by two doors, one of them twice.
    fn complaints_come_in(&self) -> CommandResult<Vec<ComplaintView>> {
        self.progress.act("Complaints come in", "投诉受理");
        let mut views = Vec::new();
        for number in [SENT_BACK, RESOLVED, KILLED, REASSIGNED] {
            let body = complaint_body(number, self.material.complaint(number)?, "eoms");
            let view = self.house.eoms.complaint_create(&body).map_err(desk_failed)?;
            if number == SENT_BACK {
                let again = self.house.eoms.complaint_create(&body).map_err(desk_failed)?;
                require(again.id == view.id, "a complaint pushed twice is one complaint")?;
                self.progress.line(format!("{} pushed twice by EOMS: one complaint", view.reference));
            }
            views.push(view);
        }
        self.progress.line(format!("{} network complaints by EOMS's API", views.len()));
        let body = complaint_body(BUSINESS, self.material.complaint(BUSINESS)?, "phone");
        let business = self.house.customer_service.complaint_create(&body).map_err(desk_failed)?;
        let answered = self
            .house
            .t1
            .complaint_answer_business(business.id, "套餐问题已解释 the tariff was explained")
            .map_err(desk_failed)?;
        require(answered.work_order_id.is_none(), "a business complaint makes no work order (R-INTAKE-2)")?;
        self.progress.line(format!("{}: a business complaint by phone, answered, no order", business.reference));
        Ok(views)
    }

    /// R-LOCATE-1, R-ROUTE-1: T1 classifies, locates, dispatches.
    fn orders_go_out(&self, complaints: &[ComplaintView]) -> CommandResult<[Dispatched; 4]> {
        self.progress.act("T1 classifies, locates and dispatches", "T1 定性、定位、派单");
        let testers = ["tester-1", "tester-2", "tester-3", "tester-2"];
        let mut orders = Vec::new();
        for ((number, complaint), tester) in complaints.iter().enumerate().zip(testers) {
            let t1 = &self.house.t1;
            let classified = t1.complaint_classify_network(complaint.id).map_err(desk_failed)?;
            let order = classified
                .work_order_id
                .ok_or_else(|| CommandError::new("a network complaint made no work order (R-INTAKE-2)"))?;
            let place = self.material.complaint(number)?;
            let located = t1
                .work_order_locate(order, &place.address_zh, place.position.latitude(), place.position.longitude())
                .map_err(desk_failed)?;
            require(located.region_id.is_some(), "an order's region is found by its coordinates")?;
            let tester_id = self.house.account(tester)?.id;
            let view: WorkOrder = t1.work_order_dispatch(order, tester_id).map_err(desk_failed)?;
            require(view.state == "dispatched", "a dispatched order says so")?;
            self.progress.line(format!("{} {} → {tester}", view.number, place.address_en));
            orders.push(Dispatched { order, number: view.number });
        }
        orders.try_into().map_err(|_| CommandError::new("four complaints make four orders"))
    }

    fn first_phone_works(&self, phone: &mut FieldPhone, order: &Dispatched) -> CommandResult {
        phone.sync()?;
        phone.network_cut();
        let complaint = self.material.complaint(SENT_BACK)?;
        self.visit_and_submit(phone, order, SENT_BACK, complaint)?;
        self.progress.line(format!("tester-1 handed {} in, offline", order.number));
        Ok(())
    }

    fn second_phone_works(
        &self,
        phone: &mut FieldPhone,
        order: &Dispatched,
        to_be_reassigned: &Dispatched,
    ) -> CommandResult {
        phone.sync()?;
        phone.network_cut();
        self.visit_and_submit(phone, order, RESOLVED, self.material.complaint(RESOLVED)?)?;
        phone.visit(to_be_reassigned.id(), self.material.complaint(REASSIGNED)?, (self.now)())?;
        let logs = self.material.logs(REASSIGNED)?;
        let log = logs.first().ok_or_else(|| CommandError::new("a visit has logs"))?;
        let samples = phone.capture(to_be_reassigned.id(), log)?;
        self.progress.line(format!(
            "tester-2 handed {} in and began {} ({samples} samples), offline",
            order.number, to_be_reassigned.number
        ));
        Ok(())
    }

    fn visit_and_submit(
        &self,
        phone: &mut FieldPhone,
        order: &Dispatched,
        visit: usize,
        complaint: &Complaint,
    ) -> CommandResult {
        phone.visit(order.id(), complaint, (self.now)())?;
        for log in self.material.logs(visit)? {
            phone.capture(order.id(), &log)?;
        }
        phone.photo(order.id(), &self.material.photo(visit, 1)?, PhotoPurpose::Surroundings)?;
        phone.photo(order.id(), &self.material.photo(visit, 2)?, PhotoPurpose::Indoors)?;
        phone.submit(order.id(), findings(complaint, "室内弱覆盖 weak coverage indoors"))
    }

    /// Says how many samples were safe when the phone was killed.
    fn third_phone_works(&self, phone: &ChildPhone, order: &Dispatched) -> CommandResult<u64> {
        let account = self.house.account("tester-3")?;
        phone.sign_in(&account.user_name, &account.password)?;
        phone.run(&["sync"])?;
        let complaint = self.material.complaint(KILLED)?;
        let number = order.number.as_str();
        let window = super::phones::appointment((self.now)());
        let (from, until) = (window.from.to_string(), window.until.to_string());
        phone.run(&["--offline", "accept", number])?;
        phone.run(&["--offline", "contact", number, "--outcome", "reached", "--from", &from, "--until", &until])?;
        phone.arrive(number, complaint.position)?;
        let logs = self.material.logs(KILLED)?;
        let first = logs.first().ok_or_else(|| CommandError::new("a visit has logs"))?;
        let safe = phone.capture_and_be_killed(number, first)?;
        self.progress.line(format!("tester-3's phone killed in the middle of a capture, {safe} samples safe"));
        for log in &logs {
            phone.capture(number, log)?;
        }
        let whole = phone.captured_samples()?;
        require(safe < whole, "the phone was killed before the end of its capture")?;
        self.progress.line(format!("tester-3's phone went on behind the last safe sample: {whole} samples"));
        let photo = self.material.photo(KILLED, 1)?;
        phone.run(&["--offline", "photo", number, "--purpose", "surroundings", &photo.to_string_lossy()])?;
        let found = findings(complaint, "小区边缘弱覆盖 weak coverage at the cell's edge");
        phone.run(&[
            "--offline",
            "finding",
            number,
            "--problem",
            &found.problem,
            "--generation",
            found.generation.as_str(),
            "--service",
            found.service.as_str(),
            "--occurs",
            &found.occurs,
            "--address",
            &found.address,
        ])?;
        phone.run(&["--offline", "submit", number])?;
        phone.run(&["sync"])?;
        self.progress.line(format!("tester-3 handed {number} in"));
        Ok(safe)
    }

    fn reassigned_meanwhile(&self, order: &Dispatched) -> CommandResult {
        self.progress.act("Meanwhile an order goes to another tester", "其间一张工单被改派");
        let to = self.house.account("tester-1")?.id;
        let view = self
            .house
            .t1
            .work_order_reassign(order.order, to, "原测试员任务过多 too much on the first tester's plate")
            .map_err(desk_failed)?;
        require(view.assigned_to == Some(to), "a reassigned order has its new tester")?;
        self.progress.line(format!("{}: tester-2 → tester-1; tester-2 is offline and works on", order.number));
        Ok(())
    }

    /// Each phone's network breaks once more: in the middle of a request, and after a request whose answer is lost.
    fn phones_sync(&self, first: &mut FieldPhone, second: &mut FieldPhone, reassigned: &Dispatched) -> CommandResult {
        self.progress.act("The phones come back and sync; the network breaks twice", "恢复联网同步，途中断网两次");
        first.network_cut_after(Direction::Up, CUT_AFTER_BYTES);
        require(first.try_sync().is_err(), "a sync that was cut in its request fails")?;
        self.progress.line(format!(
            "tester-1: cut after {CUT_AFTER_BYTES} bytes of the request; nothing lost, nothing half done"
        ));
        first.network_restore();
        let summary = first.sync()?;
        require(summary.rounds == 1, "one round trip carries orders, commands and samples")?;
        require(summary.commands_rejected == 0, "the server judges as the phone did")?;
        require(summary.photos_stored == 2, "both photos are with the server")?;
        self.progress.line(format!(
            "tester-1: one round trip, {} commands, {} blocks, then {} photos by resumable upload",
            summary.commands_accepted, summary.blocks_stored, summary.photos_stored
        ));
        second.network_cut_after(Direction::Down, 1);
        require(second.try_sync().is_err(), "a sync whose answer is lost fails on the phone")?;
        self.progress.line("tester-2: the request arrived, its answer did not; the phone sends it again");
        second.network_restore();
        let summary = second.sync()?;
        require(summary.orders_left == 1, "the reassigned order left the first tester's phone")?;
        let set_aside = second.phone().set_aside().map_err(|error| CommandError::because("set aside", &error))?;
        require(!set_aside.blocks.is_empty(), "what was captured for it is kept and shown on the phone")?;
        let kept = self.house.quality.quarantine_list().map_err(desk_failed)?;
        let of_order = kept.iter().filter(|kept| kept.work_order_id == Some(reassigned.order)).count();
        require(of_order > 0, "what was captured for a reassigned order is visible on the server (R-TEST-5)")?;
        self.progress.line(format!(
            "tester-2: {} left the phone; {of_order} things captured for it are kept in quarantine",
            reassigned.number
        ));
        Ok(())
    }

    fn test_of(&self, order: &Dispatched) -> CommandResult<FieldTest> {
        let tests = self.house.lead.field_test_list(order.order).map_err(desk_failed)?;
        tests
            .into_iter()
            .find(|test| test.standing == "accepted")
            .ok_or_else(|| CommandError::new(format!("{} has no test that counts", order.number)))
    }

    /// R-REVIEW-1: sent back once, mended, approved with a plan.
    fn lead_reviews(&self, phone: &mut FieldPhone, order: &Dispatched) -> CommandResult {
        self.progress.act("The regional lead reviews, sends back once, approves", "区域负责人审核：退回一次后通过");
        let lead = &self.house.lead;
        let test = self.test_of(order)?;
        require(test.missing_blocks.is_empty(), "every cited block has arrived")?;
        require(test.operators.len() == 3, "figures of three operators stand side by side (R-TEST-1)")?;
        lead.field_test_send_back(test.id, &["请补拍服务站点照片 add a photo of the serving site"])
            .map_err(desk_failed)?;
        phone.sync()?;
        let view = phone.phone().order(order.id()).map_err(|error| CommandError::because("the order", &error))?.view;
        require(view.state.as_str() == "sent_back", "the tester sees that the test came back")?;
        require(!view.return_reasons.is_empty(), "and why")?;
        self.progress.line(format!("{} sent back: {}", order.number, view.return_reasons.join("; ")));
        let complaint = self.material.complaint(SENT_BACK)?;
        phone.photo(order.id(), &self.material.photo(SENT_BACK, 3)?, PhotoPurpose::Site)?;
        phone
            .submit(order.id(), findings(complaint, "室内弱覆盖，站点方向被遮挡 weak indoors, the site is shadowed"))?;
        phone.sync()?;
        let test = self.test_of(order)?;
        require(test.photos.len() == 3, "the mended test has its third photo")?;
        lead.field_test_approve(
            test.id,
            "调整下倾角 adjust the down-tilt",
            "整改天线方位并评估室分 turn the antenna, assess indoor coverage",
            "optimise",
        )
        .map_err(desk_failed)?;
        let view = lead.work_order_show(order.order).map_err(desk_failed)?;
        require(view.state == "approved", "an approved test approves its order")?;
        self.progress.line(format!("{} mended and approved, with quick relief and cure", order.number));
        Ok(())
    }

    /// R-ROUTE-2, R-RETURN-2, R-LADDER-2, R-RETURN-3: T2, the unresolved reply, the ticket and its ladder, the customer's word.
    fn branch_and_ticket(&self, order: &Dispatched) -> CommandResult {
        self.progress.act("To the branch, back unresolved, up the ladder", "转派分公司，未解决转跟踪单，逐级推进");
        let (t1, t2, lead) = (&self.house.t1, &self.house.t2, &self.house.lead);
        let handoff = t1
            .handoff_create(order.order, "branch", "请协调物业进场 property access for the antenna work, please")
            .map_err(desk_failed)?;
        t2.handoff_answer(handoff.id, "not_possible", "物业暂不同意 the property management does not agree yet")
            .map_err(desk_failed)?;
        self.progress.line("T1 → T2 inside the system (R-ROUTE-2); the branch answered");
        t1.reply_stage(order.order, "已现场测试 tested on site", "协调物业 talking with the property management")
            .map_err(desk_failed)?;
        let reply = t1
            .reply_unresolved(order.order, "需天馈整改，物业未同意 needs antenna work, access refused so far")
            .map_err(desk_failed)?;
        let ticket = reply
            .tracking_ticket_id
            .ok_or_else(|| CommandError::new("a final reply `unresolved` opened no tracking ticket (R-RETURN-2)"))?;
        self.progress.line("final reply: unresolved; the tracking ticket opened by itself (R-RETURN-2)");
        let steps = lead.ladder_show(order.order).map_err(desk_failed)?;
        require(steps.len() == 12, "the ladder has twelve steps (R-LADDER-1)")?;
        let last = steps.last().ok_or_else(|| CommandError::new("the ladder is empty"))?;
        let skipped = lead.ladder_record(order.order, last.step, "not_enough", "PLAN-17", "新建站 build a site");
        require(skipped.is_err(), "building is refused before the earlier rungs are spent (R-LADDER-2)")?;
        // Nine steps of optimising and retrofitting; the ninth one helps.
        for step in steps.iter().take(9) {
            let (outcome, words) = match step.step {
                9 => ("solved", "现场复测达标 measured again on site, good"),
                number if number % 3 == 0 => ("ruled_out", "评估后不适用 examined, not applicable here"),
                _ => ("not_enough", "已实施，改善不足 done, not enough"),
            };
            lead.ladder_record(order.order, step.step, outcome, &format!("CR-{:04}", step.step), words)
                .map_err(desk_failed)?;
        }
        self.progress.line("nine steps of optimising and retrofitting, each with evidence; the ninth helped");
        let revisit = lead.revisit_create(order.order, "天线方位已整改 the antenna was turned").map_err(desk_failed)?;
        let url = revisit.url.ok_or_else(|| CommandError::new("a revisit has a one-time link"))?;
        customer_answers(self.house.eoms.http(), &url, true, 9, "终于有信号了 a signal at last")?;
        let ticket_view = lead.tracking_ticket_show(ticket).map_err(desk_failed)?;
        require(ticket_view.state == "closed", "the customer's yes closes the ticket (R-RETURN-3)")?;
        self.progress.line("the customer opened the one-time link, said yes, gave 9 of 10: closed");
        Ok(())
    }

    /// R-RETURN-3: only after the customer's own word.
    fn others_are_resolved(&self, orders: &[&Dispatched]) -> CommandResult {
        self.progress.act("Two orders are resolved directly", "另两张工单直接解决");
        for order in orders {
            let test = self.test_of(order)?;
            let (relief, cure) = ("参数调整 parameters adjusted", "观察一周 watch for a week");
            let lead = &self.house.lead;
            if test.evidence.iter().all(|item| item.is_met) {
                lead.field_test_approve(test.id, relief, cure, "optimise").map_err(desk_failed)?;
            } else {
                let because = "手机中途故障，对比数据已足够 the phone broke down, the comparison is enough";
                lead.field_test_approve_lacking(test.id, relief, cure, "optimise", because).map_err(desk_failed)?;
            }
            let revisit =
                self.house.t1.revisit_create(order.order, "参数已调整 parameters adjusted").map_err(desk_failed)?;
            self.house
                .customer_service
                .revisit_record(revisit.id, true, 8, "好多了 much better")
                .map_err(desk_failed)?;
            let view = self.house.lead.work_order_show(order.order).map_err(desk_failed)?;
            require(view.state == "resolved", "a confirmed revisit resolves the order (R-RETURN-3)")?;
            self.progress.line(format!("{} approved, revisited by phone, resolved", order.number));
        }
        Ok(())
    }

    fn new_tester_takes_over(&self, phone: &mut FieldPhone, order: &Dispatched) -> CommandResult {
        self.progress.act("The reassigned order is with its new tester", "改派工单由新测试员接手");
        phone.sync()?;
        phone.accept(order.id())?;
        phone.sync()?;
        let view = self.house.lead.work_order_show(order.order).map_err(desk_failed)?;
        require(view.state == "accepted", "the new tester took the order")?;
        self.progress.line(format!("tester-1 accepted {}", order.number));
        Ok(())
    }
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, CommandResult<T>>) -> CommandResult<T> {
    thread.join().unwrap_or_else(|_| Err(CommandError::new("a phone's thread ended badly")))
}

fn complaint_body(number: usize, complaint: &Complaint, channel: &str) -> Value {
    json!({
        "reference": format!("DEMO-{:04}", number + 1),
        "channel": channel,
        "customer": { "name": complaint.customer.name_zh, "phone": complaint.customer.phone },
        "description": format!("{} {}", complaint.text_zh, complaint.text_en),
        "symptom": complaint.symptom.as_str(),
        "generation": complaint.generation.as_str(),
        "address": complaint.address_zh,
        "occurs": "晚间 evenings",
        "neighbours_affected": number.is_multiple_of(2),
    })
}
