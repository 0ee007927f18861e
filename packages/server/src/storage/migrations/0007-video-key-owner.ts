/** Which process has the caller's own key of a job, in its memory and nowhere else. */
export const videoKeyOwnerSqlite = [`ALTER TABLE video_job ADD COLUMN key_owner text`];
export const videoKeyOwnerPostgres = [`ALTER TABLE indoxhub.video_job ADD COLUMN key_owner text`];
