//! Erasure from the event log.

use headwater_base::UserId;

use super::{Deletion, Erased, Rule};
use crate::codec::{self, Whose};
use crate::dedup::SealedIds;
use crate::disk::Disk;
use crate::segment::rewrite::Rewritten;
use crate::{EmbeddedLog, EventLog, LogError, Offset, Partition};

impl EmbeddedLog {
    /// The deletions of users from `from` on that are not erased yet, and the offset up to which it looked.
    ///
    /// # Errors
    /// Damage, or a disk that refuses.
    pub fn deletions(&self, from: Offset) -> Result<(Vec<Deletion>, Offset), LogError> {
        let mut found = Vec::new();
        let mut end = from.max(self.end().offset(Partition(0)));
        self.segments.visit(from, &mut |offset, payload| {
            if let Whose::Deletion { user } = codec::peek_whose(payload)? {
                found.push(Deletion { user: UserId::trusted(user), offset });
            }
            end = end.max(offset + 1);
            Ok(())
        })?;
        Ok((found, end))
    }

    /// Shows whose every record is, with its offset.
    pub(super) fn look(&self, look: &mut dyn FnMut(Whose<'_>, Offset)) -> Result<(), LogError> {
        self.segments.visit(0, &mut |offset, payload| {
            look(codec::peek_whose(payload)?, offset);
            Ok(())
        })
    }

    /// Erases what `rule` says below `end`.
    pub(super) fn erase(
        &self,
        rule: &Rule<'_>,
        end: Offset,
        keep_going: &dyn Fn() -> bool,
    ) -> Result<Erased, LogError> {
        let mut done = Erased::default();
        self.seal_before(end)?;
        for segment in self.segments.sealed().iter().filter(|segment| segment.first < end) {
            if !keep_going() {
                return Ok(done);
            }
            let rewritten = self.segments.rewrite(
                &*self.disk,
                segment.first,
                &mut |offset, payload| Ok(rule.erases(codec::peek_whose(payload)?, offset)),
                &mut |rewritten| self.move_ids(&*self.disk, rewritten),
            )?;
            if let Some(rewritten) = rewritten {
                self.dedup.lock().replaced(rewritten.new);
                done.add(&rewritten);
                tracing::debug!(
                    segment = segment.first,
                    records = rewritten.records,
                    "erased records of a segment"
                );
            }
        }
        self.tail.forget_before(end);
        done.complete = true;
        Ok(done)
    }

    /// Makes sure that everything below `end` is in sealed segments.
    fn seal_before(&self, end: Offset) -> Result<(), LogError> {
        let active = self.segments.active_first();
        if active < end { self.rotate() } else { Ok(()) }
    }

    /// The hashes of the ids stay, those of erased events included.
    fn move_ids(&self, disk: &dyn Disk, rewritten: &Rewritten) -> Result<(), LogError> {
        let Rewritten { old, new, .. } = *rewritten;
        let unwritten = self.dedup.lock().unwritten(old.first);
        let folder = self.segments.folder();
        if let Some(ids) = unwritten {
            SealedIds::write(disk, folder, new, &ids)?;
        } else if !SealedIds::readdress(disk, folder, old, new)? {
            // Missing, damaged, or left by a run that was interrupted: made again from the old file, which is whole.
            crate::dedup::rebuild(folder, old)?;
            SealedIds::readdress(disk, folder, old, new)?;
        }
        Ok(())
    }
}
