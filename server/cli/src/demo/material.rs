//! What the story is made of: complaints, logs of three operators for every visit, photos. All of it made up from a seed, or the
//! logs from a folder of real ones.
//!
//! What does not belong here: what is done with it (`story`).

use crate::{CommandError, CommandResult};
use callout_mobile_sdk::import::{ImportOptions, ImportedSample, import_reader, started_at_from_file_name};
use callout_mobile_sdk::synthetic::city::CHENGWAN;
use callout_mobile_sdk::synthetic::{
    Complaint, Coverage, OperatorProfile, PhotoOptions, SyntheticWalk, WalkOptions, photo_create,
};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::time::Timestamp;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Samples of one operator's synthetic log.
const SAMPLES_PER_LOG: u64 = 4_000;
/// Half the size of an ordinary photo, so that the demo stays quick.
const PHOTO_BYTES: usize = 150_000;

/// One operator's log of one visit.
#[derive(Clone, Debug)]
pub struct Log {
    /// Whose network.
    pub operator: Operator,
    /// The file.
    pub path: PathBuf,
}

impl Log {
    /// Reads every sample of the log, as a phone would.
    ///
    /// # Errors
    /// When the file cannot be read, or is no log.
    pub fn read(&self, out: impl FnMut(ImportedSample)) -> CommandResult {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let options = ImportOptions { started_at: started_at_from_file_name(&name), ..ImportOptions::default() };
        let file = fs::File::open(&self.path).map_err(file_error(&self.path))?;
        import_reader(BufReader::new(file), options, out)
            .map(drop)
            .map_err(|error| CommandError::because(self.path.display(), &error))
    }

    /// How many samples the log holds.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn samples(&self) -> CommandResult<u64> {
        let mut samples = 0;
        self.read(|_| samples += 1)?;
        Ok(samples)
    }
}

/// Makes the story's things in a folder.
#[derive(Debug)]
pub struct Material {
    folder: PathBuf,
    seed: u64,
    now: Timestamp,
    utc_offset_minutes: i16,
    walk: Option<Vec<Log>>,
    complaints: Vec<Complaint>,
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> CommandError + '_ {
    move |error| CommandError::because(path.display(), &error)
}

/// The three logs of a folder, sorted by name.
fn walk_read(folder: &Path) -> CommandResult<Vec<Log>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(file_error(folder))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    if files.len() != Operator::REQUIRED.len() {
        return Err(CommandError::new(format!(
            "--walk: {} holds {} files, not three, one for each operator",
            folder.display(),
            files.len()
        )));
    }
    Ok(Operator::REQUIRED.into_iter().zip(files).map(|(operator, path)| Log { operator, path }).collect())
}

impl Material {
    /// Prepares it in an existing folder.
    ///
    /// # Errors
    /// When the folder of real logs does not hold three.
    pub fn new(
        folder: &Path,
        seed: u64,
        walk: Option<&Path>,
        now: Timestamp,
        utc_offset_minutes: i16,
    ) -> CommandResult<Self> {
        Ok(Self {
            folder: folder.to_owned(),
            seed,
            now,
            utc_offset_minutes,
            walk: walk.map(walk_read).transpose()?,
            complaints: CHENGWAN.complaints(seed).take(8).collect(),
        })
    }

    /// The how-manieth complaint of the story.
    ///
    /// # Errors
    /// None for the eight that the story may have.
    pub fn complaint(&self, number: usize) -> CommandResult<&Complaint> {
        self.complaints.get(number).ok_or_else(|| CommandError::new("the made-up city has too few complaints"))
    }

    /// The three operators' logs of a visit: China Mobile weak, as complained of, the others better.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn logs(&self, visit: usize) -> CommandResult<Vec<Log>> {
        if let Some(walk) = &self.walk {
            return Ok(walk.clone());
        }
        let folder = self.folder.join(format!("visit-{visit}"));
        fs::create_dir_all(&folder).map_err(file_error(&folder))?;
        let centre = self.complaint(visit)?.position;
        let coverage = [Coverage::WeakIndoors, Coverage::FifthGeneration, Coverage::CellEdge];
        Operator::REQUIRED
            .into_iter()
            .zip(coverage)
            .map(|(operator, coverage)| {
                let walk = SyntheticWalk::new(WalkOptions {
                    seed: self.seed.wrapping_add(100 * visit as u64 + u64::from(operator.code())),
                    // Three phones carried together for the last half hour.
                    started_at: self.now.plus_seconds(-1_800),
                    centre,
                    profile: OperatorProfile::new(operator, coverage),
                    sample_count: SAMPLES_PER_LOG,
                    utc_offset_minutes: self.utc_offset_minutes,
                    dirty: true,
                });
                let path = folder.join(walk.log_file_name());
                let file = fs::File::create(&path).map_err(file_error(&path))?;
                walk.write_log(std::io::BufWriter::new(file)).map_err(file_error(&path))?;
                Ok(Log { operator, path })
            })
            .collect()
    }

    /// A photo of a visit, as a file.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn photo(&self, visit: usize, number: u64) -> CommandResult<PathBuf> {
        let position = self.complaint(visit)?.position;
        let seed = self.seed.wrapping_add(1_000 * visit as u64 + number);
        let options = PhotoOptions {
            utc_offset_minutes: self.utc_offset_minutes,
            target_bytes: PHOTO_BYTES,
            ..PhotoOptions::new(seed, self.now, position)
        };
        let bytes = photo_create(&options).map_err(|error| CommandError::because("a synthetic photo", &error))?;
        let path = self.folder.join(format!("photo-{visit}-{number}.jpg"));
        fs::write(&path, bytes).map_err(file_error(&path))?;
        Ok(path)
    }
}
