//! A tester of the city with the real phone core: store, engine, captures and sync, over an undisturbed connection.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

use super::chance::{Dice, SeededPhoneEnv, VirtualClock};
use super::server::Server;
use callout_mobile_sdk::capture::Source;
use callout_mobile_sdk::engine::{HttpRequest, HttpResponse};
use callout_mobile_sdk::facade::{Phone, PhoneConfig, PhoneError, PhotoRequest};
use callout_mobile_sdk::synthetic::{
    Coverage, OperatorProfile, PhotoOptions, SyntheticWalk, WalkOptions, photo_create,
};
use callout_mobile_sdk::transport::{Traffic, Transport, TransportError};
use callout_sync_protocol::commands::{ContactOutcome, Findings};
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::work_orders::{TimeWindow, WorkOrderState};
use std::path::Path;
use std::sync::Arc;

#[derive(Debug)]
struct Line<'a>(&'a Server);

impl Transport for Line<'_> {
    fn send(&mut self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let headers: Vec<(&str, &str)> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Ok(self.0.call(request.method.as_str(), &request.path, &headers, &request.body))
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

/// See the module.
#[derive(Debug)]
pub struct FullPhone {
    phone: Phone,
    clock: VirtualClock,
    dice: Dice,
    credentials: (String, String),
}

impl FullPhone {
    /// A phone in a folder.
    pub fn new(folder: &Path, clock: &VirtualClock, seed: u64) -> Self {
        let env = Arc::new(SeededPhoneEnv::new(clock.clone(), seed));
        let phone = Phone::open(folder, PhoneConfig::default(), env).unwrap();
        Self { phone, clock: clock.clone(), dice: Dice::new(seed), credentials: Default::default() }
    }

    /// Signs its tester in.
    pub fn sign_in(&mut self, server: &Server, name: &str, password: &str) {
        self.phone.sign_in(&mut Line(server), name, password).unwrap();
        self.credentials = (name.to_owned(), password.to_owned());
    }

    fn sync(&mut self, server: &Server) -> Result<(), String> {
        match self.phone.sync(&mut Line(server), 0, &mut |_| ()) {
            Ok(_) => Ok(()),
            // Away for longer than a refresh token is good for.
            Err(PhoneError::SignInNeeded) => {
                let (name, password) = self.credentials.clone();
                self.sign_in(server, &name, &password);
                self.phone.sync(&mut Line(server), 0, &mut |_| ()).map(drop).map_err(|error| format!("{error:?}"))
            }
            Err(error) => Err(format!("a phone's sync ended with {error:?}")),
        }
    }

    /// The whole visit, from the sync that brings the order to the one that hands its test in.
    ///
    /// # Errors
    /// What the phone refuses, and should not.
    pub fn work(
        &mut self,
        server: &Server,
        order: WorkOrderId,
        place: Position,
        samples: u64,
        findings: Findings,
    ) -> Result<(), String> {
        let failed = |error: PhoneError| format!("a phone refused: {error:?}");
        self.sync(server)?;
        let state = self.phone.order(order).map_err(failed)?.view.state;
        if state != WorkOrderState::SentBack {
            let now = self.clock.time();
            self.phone.accept(order).map_err(failed)?;
            let window = TimeWindow { from: now.plus_seconds(900), until: now.plus_seconds(4_500) };
            self.phone.contact(order, ContactOutcome::Reached, Some(window), None, None).map_err(failed)?;
            self.clock.advance_seconds(300);
            self.phone.arrive(order, place).map_err(failed)?;
            self.phone.photo_consent(order, true).map_err(failed)?;
        }
        self.clock.advance_seconds(300);
        for operator in Operator::REQUIRED {
            let walk = SyntheticWalk::new(WalkOptions {
                seed: self.dice.roll(),
                started_at: self.clock.time().plus_seconds(-200),
                centre: place,
                profile: OperatorProfile::new(operator, Coverage::Good),
                sample_count: samples,
                utc_offset_minutes: 480,
                dirty: false,
            });
            let mut session = self.phone.capture_begin(order, operator, &Source::Live).map_err(failed)?;
            for sample in walk.samples() {
                self.phone.capture_push(&mut session, &sample).map_err(|error| format!("{error:?}"))?;
            }
            self.phone.capture_flush(&mut session).map_err(|error| format!("{error:?}"))?;
        }
        let photo = photo_create(&PhotoOptions {
            width: 64,
            height: 48,
            target_bytes: 2_000,
            ..PhotoOptions::new(self.dice.roll(), self.clock.time(), place)
        });
        let photo = photo.map_err(|error| format!("{error:?}"))?;
        self.phone.photo_add_bytes(order, &photo, PhotoRequest::new(PhotoPurpose::Surroundings)).map_err(failed)?;
        self.phone.findings_record(order, findings).map_err(failed)?;
        self.phone.submit(order, Vec::new()).map_err(failed)?;
        self.sync(server)
    }
}
