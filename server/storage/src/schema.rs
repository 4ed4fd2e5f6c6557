//! The tables as Diesel sees them, the same on both databases; `migrations/` is what makes them. A test compares the two.
//!
//! What does not belong here: records (`<noun>.rs`) and SQL types (`sql_types`).

diesel::table! {
    use crate::sql_types::*;
    users (id) {
        id -> Id,
        user_name -> Words,
        user_name_folded -> Words,
        display_name -> Words,
        password_hash -> Words,
        roles -> Json,
        all_regions -> Bool,
        is_active -> Bool,
        created_at -> Instant,
        updated_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    regions (id) {
        id -> Id,
        name -> Words,
        boundary -> Json,
        min_latitude_e6 -> Integer,
        max_latitude_e6 -> Integer,
        min_longitude_e6 -> Integer,
        max_longitude_e6 -> Integer,
        utc_offset_minutes -> SmallInt,
        created_at -> Instant,
        updated_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    user_regions (user_id, region_id) {
        user_id -> Id,
        region_id -> Id,
    }
}

diesel::table! {
    use crate::sql_types::*;
    devices (id) {
        id -> Id,
        user_id -> Id,
        name -> Words,
        platform -> Words,
        public_key -> Nullable<Digest>,
        enrolled_at -> Instant,
        last_seen_at -> Instant,
        revoked_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    sessions (id) {
        id -> Id,
        user_id -> Id,
        device_id -> Id,
        created_at -> Instant,
        revoked_at -> Nullable<Instant>,
        revoke_reason -> Nullable<Words>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    refresh_tokens (token_hash) {
        token_hash -> Digest,
        session_id -> Id,
        issued_at -> Instant,
        expires_at -> Instant,
        used_at -> Nullable<Instant>,
        successor_hash -> Nullable<Digest>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    signing_keys (id) {
        id -> Words,
        secret -> Binary,
        created_at -> Instant,
        retire_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    complaints (id) {
        id -> Id,
        source_id -> Id,
        reference -> Words,
        content_digest -> Digest,
        channel -> Words,
        class -> Nullable<Words>,
        state -> Words,
        received_at -> Instant,
        customer_name -> Words,
        customer_phone -> Words,
        description -> Words,
        symptom -> Words,
        generation -> Nullable<Words>,
        address -> Words,
        occurs -> Words,
        neighbours_affected -> Nullable<Bool>,
        latitude_e6 -> Nullable<Integer>,
        longitude_e6 -> Nullable<Integer>,
        region_id -> Nullable<Id>,
        answer -> Nullable<Words>,
        created_at -> Instant,
        updated_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    key_accounts (id) {
        id -> Id,
        name -> Words,
        note -> Words,
        is_active -> Bool,
        created_by -> Id,
        created_at -> Instant,
        updated_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    key_account_identifiers (digest) {
        digest -> Digest,
        key_account_id -> Id,
        kind -> Words,
        masked -> Words,
    }
}

diesel::table! {
    use crate::sql_types::*;
    intakes (complaint_id) {
        complaint_id -> Id,
        first_contact_id -> Id,
        customer_digest -> Digest,
        key_account_id -> Nullable<Id>,
        is_sensitive -> Bool,
        is_disturbing -> Bool,
        joint_customers -> Count,
        symptom -> Words,
        channel -> Words,
        received_at -> Instant,
        latitude_e6 -> Nullable<Integer>,
        longitude_e6 -> Nullable<Integer>,
        grid_cell -> Nullable<BigInt>,
        relation -> Words,
        related_id -> Nullable<Id>,
        first_id -> Nullable<Id>,
        handled_under_id -> Nullable<Id>,
        handling -> Words,
        urgency -> Words,
        reasons -> Json,
        is_false_return -> Bool,
        decided_by -> Nullable<Id>,
        decided_at -> Nullable<Instant>,
        decision_reason -> Nullable<Words>,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    complaint_cells (complaint_id, cell_identity) {
        complaint_id -> Id,
        cell_identity -> Count,
        received_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::*;
    escalations (id) {
        id -> Id,
        complaint_id -> Id,
        level -> Words,
        cause -> Words,
        reason -> Words,
        opened_by -> Nullable<Id>,
        opened_at -> Instant,
        closed_by -> Nullable<Id>,
        closed_at -> Nullable<Instant>,
        outcome -> Nullable<Words>,
        words -> Nullable<Words>,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    major_cases (id) {
        id -> Id,
        complaint_id -> Id,
        state -> Words,
        reasons -> Json,
        explanation -> Words,
        leader_id -> Nullable<Id>,
        declared_by -> Nullable<Id>,
        opened_at -> Instant,
        closed_by -> Nullable<Id>,
        closed_at -> Nullable<Instant>,
        closing_words -> Nullable<Words>,
        updated_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    major_case_members (major_case_id, user_id) {
        major_case_id -> Id,
        user_id -> Id,
        duty -> Words,
    }
}

diesel::table! {
    use crate::sql_types::*;
    notices (id) {
        id -> Id,
        recipient_id -> Id,
        kind -> Words,
        complaint_id -> Nullable<Id>,
        major_case_id -> Nullable<Id>,
        detail -> Json,
        created_at -> Instant,
        read_at -> Nullable<Instant>,
        warning_id -> Nullable<Id>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    cases (id) {
        id -> Id,
        state -> Words,
        work_order_id -> Nullable<Id>,
        title -> Words,
        symptom -> Words,
        generation -> Nullable<Words>,
        place_kind -> Words,
        cause -> Words,
        what_was_done -> Words,
        ladder_steps -> Json,
        searched -> Words,
        created_by -> Nullable<Id>,
        created_at -> Instant,
        published_by -> Nullable<Id>,
        published_at -> Nullable<Instant>,
        updated_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    work_orders (id) {
        id -> Id,
        complaint_id -> Id,
        number -> Words,
        state -> Words,
        urgency -> Words,
        region_id -> Nullable<Id>,
        assigned_to -> Nullable<Id>,
        assigned_at -> Nullable<Instant>,
        appointment_from -> Nullable<Instant>,
        appointment_until -> Nullable<Instant>,
        due_at -> Nullable<Instant>,
        field_test_id -> Nullable<Id>,
        photo_consent -> Nullable<Bool>,
        return_reasons -> Json,
        utc_offset_minutes -> SmallInt,
        address -> Words,
        latitude_e6 -> Nullable<Integer>,
        longitude_e6 -> Nullable<Integer>,
        reopened_count -> Count,
        false_return_count -> Count,
        version -> Count,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::*;
    field_tests (id) {
        id -> Id,
        work_order_id -> Id,
        tester_id -> Id,
        device_id -> Id,
        standing -> Words,
        standing_reason -> Nullable<Json>,
        state -> Words,
        begun_at -> Instant,
        findings -> Nullable<Json>,
        submission -> Nullable<Json>,
        submitted_at -> Nullable<Instant>,
        submission_count -> Count,
        version -> Count,
        evidence_template -> Nullable<Json>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    sample_blocks (hash) {
        hash -> Digest,
        field_test_id -> Id,
        work_order_id -> Id,
        tester_id -> Id,
        device_id -> Id,
        operator -> Words,
        sequence -> Count,
        sample_count -> Count,
        byte_length -> Count,
        kpi -> Json,
        standing -> Words,
        standing_reason -> Nullable<Json>,
        captured_from -> Instant,
        captured_until -> Nullable<Instant>,
        received_at -> Instant,
        bytes -> Binary,
    }
}

diesel::table! {
    use crate::sql_types::*;
    photos (id) {
        id -> Id,
        field_test_id -> Id,
        work_order_id -> Id,
        tester_id -> Id,
        device_id -> Id,
        hash -> Digest,
        byte_length -> Count,
        media_type -> Words,
        purpose -> Words,
        captured_at -> Instant,
        latitude_e6 -> Nullable<Integer>,
        longitude_e6 -> Nullable<Integer>,
        accuracy_m -> Nullable<Integer>,
        is_mock -> Bool,
        state -> Words,
        refusal -> Nullable<Json>,
        standing -> Words,
        standing_reason -> Nullable<Json>,
        object_key -> Nullable<Words>,
        thumbnail_key -> Nullable<Words>,
        width -> Nullable<Integer>,
        height -> Nullable<Integer>,
        exif -> Nullable<Json>,
        announced_at -> Instant,
        stored_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    photo_uploads (photo_id) {
        photo_id -> Id,
        tester_id -> Id,
        device_id -> Id,
        byte_length -> Count,
        byte_offset -> Count,
        metadata -> Words,
        parts -> Json,
        created_at -> Instant,
        expires_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    reviews (id) {
        id -> Id,
        field_test_id -> Id,
        work_order_id -> Id,
        reviewer_id -> Id,
        decision -> Words,
        reasons -> Json,
        quick_relief -> Nullable<Words>,
        cure -> Nullable<Words>,
        rung -> Nullable<Words>,
        submission_number -> Count,
        created_at -> Instant,
        reason_codes -> Json,
        sections -> Json,
        evidence -> Json,
        evidence_accepted_because -> Nullable<Words>,
        ladder_step -> Nullable<Words>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    tracking_tickets (id) {
        id -> Id,
        work_order_id -> Id,
        number -> Words,
        state -> Words,
        region_id -> Nullable<Id>,
        opened_at -> Instant,
        closed_at -> Nullable<Instant>,
        version -> Count,
        updated_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::*;
    handoffs (id) {
        id -> Id,
        work_order_id -> Id,
        tracking_ticket_id -> Nullable<Id>,
        target -> Words,
        demand -> Words,
        state -> Words,
        outcome -> Nullable<Words>,
        answer -> Nullable<Words>,
        answered_by -> Nullable<Id>,
        answered_at -> Nullable<Instant>,
        due_at -> Nullable<Instant>,
        created_by -> Id,
        created_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    ladder_steps (work_order_id, step) {
        work_order_id -> Id,
        step -> SmallInt,
        outcome -> Words,
        evidence -> Json,
        reason -> Words,
        recorded_by -> Id,
        recorded_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::*;
    replies (id) {
        id -> Id,
        complaint_id -> Id,
        work_order_id -> Nullable<Id>,
        kind -> Words,
        body -> Words,
        next_step -> Nullable<Words>,
        created_by -> Nullable<Id>,
        created_at -> Instant,
        channel -> Nullable<Words>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    revisits (id) {
        id -> Id,
        work_order_id -> Id,
        tracking_ticket_id -> Nullable<Id>,
        state -> Words,
        channel -> Nullable<Words>,
        token_hash -> Nullable<Digest>,
        expires_at -> Instant,
        solved -> Nullable<Bool>,
        score -> Nullable<SmallInt>,
        words -> Nullable<Words>,
        answered_at -> Nullable<Instant>,
        answered_by -> Nullable<Id>,
        created_by -> Id,
        created_at -> Instant,
        what_was_done -> Nullable<Words>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    user_profiles (user_id) {
        user_id -> Id,
        team -> Words,
        seniority -> Words,
        skills -> Json,
        shifts -> Json,
        home_latitude_e6 -> Nullable<Integer>,
        home_longitude_e6 -> Nullable<Integer>,
        daily_capacity -> SmallInt,
        updated_by -> Id,
        updated_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    dispatches (id) {
        id -> Id,
        work_order_id -> Id,
        tester_id -> Id,
        state -> Words,
        dispatched_by -> Id,
        candidate_rank -> Nullable<Integer>,
        candidate_count -> Nullable<Integer>,
        candidate_score -> Nullable<Integer>,
        checked_by -> Nullable<Id>,
        checked_at -> Nullable<Instant>,
        is_wrong -> Bool,
        ended_reason -> Nullable<Words>,
        created_at -> Instant,
        ended_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    appraisal_marks (id) {
        id -> Id,
        user_id -> Id,
        kind -> Words,
        work_order_id -> Id,
        tracking_ticket_id -> Nullable<Id>,
        region_id -> Nullable<Id>,
        reason -> Words,
        recorded_by -> Nullable<Id>,
        created_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::*;
    chases (id) {
        id -> Id,
        work_order_id -> Id,
        tracking_ticket_id -> Nullable<Id>,
        source_id -> Id,
        reference -> Words,
        content_digest -> Digest,
        urgency -> Nullable<Words>,
        note -> Nullable<Words>,
        created_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::*;
    branch_questions (id) {
        id -> Id,
        work_order_id -> Id,
        handoff_id -> Id,
        region_id -> Nullable<Id>,
        question -> Words,
        asked_by -> Id,
        asked_at -> Instant,
        answer -> Nullable<Words>,
        answered_by -> Nullable<Id>,
        answered_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    arrivals (id) {
        id -> Id,
        work_order_id -> Id,
        tester_id -> Id,
        latitude_e6 -> Integer,
        longitude_e6 -> Integer,
        accuracy_m -> Nullable<Integer>,
        is_mock -> Bool,
        punctuality -> Words,
        minutes_after_start -> Nullable<BigInt>,
        distance_m -> Nullable<Integer>,
        is_at_place -> Nullable<Bool>,
        appointment_from -> Nullable<Instant>,
        appointment_until -> Nullable<Instant>,
        captured_at -> Instant,
        received_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::*;
    follow_ups (id) {
        id -> Id,
        work_order_id -> Id,
        tracking_ticket_id -> Nullable<Id>,
        revisit_id -> Id,
        region_id -> Nullable<Id>,
        score -> SmallInt,
        state -> Words,
        what_was_done -> Nullable<Words>,
        closed_by -> Nullable<Id>,
        closed_at -> Nullable<Instant>,
        opened_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    feeds (tester_id) {
        tester_id -> Id,
        epoch -> Count,
        last_number -> BigInt,
        compacted_through -> Count,
        checkpoint -> Nullable<BigInt>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    feed_entries (tester_id, work_order_id) {
        tester_id -> Id,
        work_order_id -> Id,
        number -> Count,
        kind -> Words,
        left_reason -> Nullable<Words>,
        changed_at -> Instant,
        order_version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    command_receipts (command_id) {
        command_id -> Id,
        work_order_id -> Id,
        tester_id -> Id,
        device_id -> Id,
        kind -> Words,
        body -> Json,
        digest -> Digest,
        captured_at -> Instant,
        received_at -> Instant,
        is_accepted -> Bool,
        outcome -> Json,
    }
}

diesel::table! {
    use crate::sql_types::*;
    events (id) {
        id -> Id,
        subject_kind -> Words,
        subject_id -> Id,
        number -> Count,
        happened_at -> Instant,
        captured_at -> Nullable<Instant>,
        actor_id -> Nullable<Id>,
        actor_roles -> Words,
        device_id -> Nullable<Id>,
        action -> Words,
        detail -> Words,
        reason -> Nullable<Words>,
        previous_hash -> Nullable<Digest>,
        hash -> Digest,
        reason_salt -> Nullable<Digest>,
        reason_digest -> Nullable<Digest>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    event_heads (subject_kind, subject_id) {
        subject_kind -> Words,
        subject_id -> Id,
        number -> Count,
        hash -> Digest,
    }
}

diesel::table! {
    use crate::sql_types::*;
    jobs (id) {
        id -> Id,
        kind -> Words,
        subject_id -> Id,
        run_at -> Instant,
        payload -> Json,
        attempts -> BigInt,
        leased_until -> Nullable<Instant>,
        lease_owner -> Nullable<Words>,
        finished_at -> Nullable<Instant>,
        last_error -> Nullable<Words>,
        created_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::*;
    counters (name) {
        name -> Words,
        value -> BigInt,
    }
}

diesel::table! {
    use crate::sql_types::*;
    server_meta (key) {
        key -> Words,
        value -> Words,
    }
}

diesel::table! {
    use crate::sql_types::*;
    policies (id) {
        id -> Id,
        subject_id -> Id,
        kind -> Words,
        region_id -> Nullable<Id>,
        version -> Count,
        document -> Json,
        reason -> Words,
        created_by -> Id,
        created_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::*;
    photo_hashes (photo_id) {
        photo_id -> Id,
        work_order_id -> Id,
        band_0 -> Integer,
        band_1 -> Integer,
        band_2 -> Integer,
        band_3 -> Integer,
    }
}

diesel::table! {
    use crate::sql_types::*;
    field_test_tracks (field_test_id) {
        field_test_id -> Id,
        fingerprint -> Digest,
        tracks -> Json,
        computed_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::*;
    order_ladders (work_order_id) {
        work_order_id -> Id,
        ladder -> Json,
        begun_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::*;
    review_meetings (id) {
        id -> Id,
        region_id -> Id,
        state -> Words,
        starts_at -> Instant,
        agenda_at -> Instant,
        minutes -> Nullable<Words>,
        closed_by -> Nullable<Id>,
        closed_at -> Nullable<Instant>,
        created_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    build_demands (id) {
        id -> Id,
        number -> Words,
        work_order_id -> Id,
        region_id -> Id,
        state -> Words,
        demand -> Words,
        latitude_e6 -> Integer,
        longitude_e6 -> Integer,
        field_tests -> Json,
        shareable_resources -> Words,
        affected_customers -> Count,
        review_meeting_id -> Id,
        deferred_count -> Count,
        filed_by -> Id,
        filed_at -> Instant,
        updated_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    build_demand_decisions (id) {
        id -> Id,
        build_demand_id -> Id,
        review_meeting_id -> Id,
        decision -> Words,
        reason -> Words,
        decided_by -> Id,
        decided_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::*;
    clocks (id) {
        id -> Id,
        kind -> Words,
        complaint_id -> Id,
        work_order_id -> Nullable<Id>,
        region_id -> Nullable<Id>,
        utc_offset_minutes -> SmallInt,
        measure -> Words,
        budget_micros -> BigInt,
        limit_key -> Words,
        is_major -> Bool,
        standing -> Words,
        started_at -> Instant,
        due_at -> Instant,
        warn_at -> Instant,
        warned_at -> Nullable<Instant>,
        breached_at -> Nullable<Instant>,
        breach_recorded_at -> Nullable<Instant>,
        suggested_cause -> Nullable<Words>,
        breach_cause -> Nullable<Words>,
        breach_note -> Nullable<Words>,
        cause_named_by -> Nullable<Id>,
        cause_named_at -> Nullable<Instant>,
        stopped_at -> Nullable<Instant>,
        outcome -> Nullable<Words>,
        used_micros -> BigInt,
        time_by_stage -> Json,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    clock_entries (clock_id, number) {
        clock_id -> Id,
        number -> Count,
        happened_at -> Instant,
        event -> Words,
        reason -> Words,
        budget_micros -> BigInt,
    }
}

diesel::table! {
    use crate::sql_types::*;
    customer_questions (id) {
        id -> Id,
        work_order_id -> Id,
        question -> Words,
        asked_by -> Id,
        asked_at -> Instant,
        answer -> Nullable<Words>,
        answered_by -> Nullable<Id>,
        answered_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    sites (id) {
        id -> Id,
        code -> Words,
        name -> Words,
        region_id -> Nullable<Id>,
        latitude_e6 -> Integer,
        longitude_e6 -> Integer,
        kind -> Words,
        is_key -> Bool,
        plan -> Words,
        created_at -> Instant,
        updated_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    site_outages (id) {
        id -> Id,
        site_id -> Id,
        source_id -> Id,
        reference -> Words,
        cause -> Words,
        began_at -> Instant,
        ended_at -> Nullable<Instant>,
        created_at -> Instant,
        updated_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    complaint_clusters (id) {
        id -> Id,
        region_id -> Id,
        state -> Words,
        centre_latitude_e6 -> Integer,
        centre_longitude_e6 -> Integer,
        radius_m -> Count,
        complaint_count -> Count,
        first_at -> Instant,
        last_at -> Instant,
        found_at -> Instant,
        dissolved_at -> Nullable<Instant>,
        successor_id -> Nullable<Id>,
        updated_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    complaint_cluster_members (cluster_id, complaint_id) {
        cluster_id -> Id,
        complaint_id -> Id,
    }
}

diesel::table! {
    use crate::sql_types::*;
    supervision_entries (id) {
        id -> Id,
        region_id -> Id,
        cluster_id -> Id,
        reason -> Words,
        site_id -> Nullable<Id>,
        state -> Words,
        complaint_count -> Count,
        is_cause_standing -> Bool,
        listed_at -> Instant,
        cleared_at -> Nullable<Instant>,
        cleared_by -> Nullable<Id>,
        what_cleared_it -> Nullable<Words>,
        updated_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    warnings (id) {
        id -> Id,
        region_id -> Id,
        symptom -> Words,
        state -> Words,
        level -> Words,
        window_from -> Instant,
        window_until -> Instant,
        complaint_count -> Count,
        peak_count -> Count,
        half_year_count -> Count,
        base_thousandths -> Count,
        raised_day -> Integer,
        raised_at -> Instant,
        reviewed_by -> Nullable<Id>,
        reviewed_at -> Nullable<Instant>,
        review_note -> Nullable<Words>,
        published_by -> Nullable<Id>,
        published_at -> Nullable<Instant>,
        recipients -> Json,
        dismissed_by -> Nullable<Id>,
        dismissed_at -> Nullable<Instant>,
        dismiss_reason -> Nullable<Words>,
        recovered_at -> Nullable<Instant>,
        updated_at -> Instant,
        version -> Count,
    }
}

diesel::table! {
    use crate::sql_types::*;
    kpi_dirty (id) {
        id -> Id,
        complaint_id -> Id,
        marked_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::*;
    kpi_facts (complaint_id) {
        complaint_id -> Id,
        work_order_id -> Nullable<Id>,
        region_id -> Nullable<Id>,
        class -> Words,
        utc_offset_minutes -> SmallInt,
        received_at -> Instant,
        taken_by -> Nullable<Id>,
        taken_team -> Words,
        responded_at -> Nullable<Instant>,
        is_repeat -> Bool,
        closed_at -> Nullable<Instant>,
        is_on_time -> Nullable<Bool>,
        visit_count -> Count,
        is_solved_at_first_visit -> Bool,
        tester_id -> Nullable<Id>,
        tester_team -> Words,
        return_count -> Count,
        false_return_count -> Count,
        returned_at -> Nullable<Instant>,
        returned_by -> Nullable<Id>,
        returned_team -> Words,
        score -> Nullable<SmallInt>,
        overdue_at -> Nullable<Instant>,
        overdue_cause -> Nullable<Words>,
        is_counted -> Bool,
    }
}

diesel::table! {
    use crate::sql_types::*;
    kpi_cells (id) {
        id -> Id,
        is_personal -> Bool,
        grain -> SmallInt,
        region_id -> Id,
        day -> Integer,
        class -> Words,
        team -> Words,
        person_id -> Id,
        received_count -> BigInt,
        responded_count -> BigInt,
        repeat_count -> BigInt,
        closed_count -> BigInt,
        judged_count -> BigInt,
        on_time_count -> BigInt,
        handling_seconds -> BigInt,
        visited_count -> BigInt,
        first_visit_count -> BigInt,
        return_count -> BigInt,
        false_return_count -> BigInt,
        score_count -> BigInt,
        score_sum -> BigInt,
        promoter_count -> BigInt,
        detractor_count -> BigInt,
        overdue_count -> BigInt,
        handling_times -> Binary,
    }
}

diesel::table! {
    use crate::sql_types::*;
    kpi_causes (id) {
        id -> Id,
        grain -> SmallInt,
        region_id -> Id,
        day -> Integer,
        class -> Words,
        cause -> Words,
        overdue_count -> BigInt,
    }
}

diesel::table! {
    use crate::sql_types::*;
    pushes (tester_id) {
        tester_id -> Id,
        epoch -> Count,
        number -> Count,
        attempts -> BigInt,
        due_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use crate::sql_types::*;
    audit_anchors (number) {
        number -> Count,
        covers_from -> Instant,
        covers_until -> Instant,
        event_count -> Count,
        digest -> Digest,
        previous_hash -> Nullable<Digest>,
        hash -> Digest,
        created_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::*;
    erasures (complaint_id) {
        complaint_id -> Id,
        erased_by -> Nullable<Id>,
        reason -> Words,
        options -> Json,
        counts -> Json,
        created_at -> Instant,
    }
}

diesel::allow_tables_to_appear_in_same_query!(complaints, escalations, intakes, key_accounts, major_cases);

diesel::allow_tables_to_appear_in_same_query!(key_account_identifiers, key_accounts);

diesel::allow_tables_to_appear_in_same_query!(
    command_receipts,
    complaints,
    erasures,
    events,
    feed_entries,
    field_tests,
    sample_blocks,
    tracking_tickets,
    work_orders,
);

diesel::allow_tables_to_appear_in_same_query!(user_regions, users);

diesel::allow_tables_to_appear_in_same_query!(sessions, users, devices);

diesel::allow_tables_to_appear_in_same_query!(clocks, complaints);

diesel::allow_tables_to_appear_in_same_query!(complaints, regions);

diesel::allow_tables_to_appear_in_same_query!(sites, site_outages);

diesel::allow_tables_to_appear_in_same_query!(complaint_clusters, complaint_cluster_members);

diesel::allow_tables_to_appear_in_same_query!(events, user_regions);
