//! A schema of its own on a PostgreSQL server, asked through `psql`.

use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use tokio::process::Command;
use uuid::Uuid;

/// One schema.
pub(super) struct Database {
    url: String,
    password: PathBuf,
    ca: PathBuf,
    schema: String,
}

impl Database {
    /// Makes the schema.
    pub(super) async fn create(url: &str, files: &Path) -> Result<Self> {
        let files = files.canonicalize()?;
        let database = Self {
            url: url.to_owned(),
            password: files.join("password"),
            ca: files.join("ca.pem"),
            schema: format!("migrate_{}", Uuid::now_v7().simple()),
        };
        let make = format!("CREATE SCHEMA {}", database.schema);
        database.ask(&make).await?;
        Ok(database)
    }

    /// The sections of hooklog's configuration for it.
    pub(super) fn section(&self) -> String {
        let Self {
            url,
            password,
            ca,
            schema,
        } = self;
        format!(
            "[project]\nstore = \"postgres\"\n[project.postgres]\nurl = \"{url}\"\n\
             schema = \"{schema}\"\nca_file = {ca:?}\npassword_file = {password:?}\n"
        )
    }

    /// Rows of a live table for which `condition` holds.
    pub(super) async fn count(&self, table: &str, condition: &str) -> Result<u64> {
        let (version, suffix) = self.active().await?;
        let table = format!("{table}_v{version}{suffix}");
        let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
        Ok(self.ask(&sql).await?.parse()?)
    }

    /// The version of `deliveries` that queries read.
    pub(super) async fn version(&self) -> Result<u32> {
        Ok(self.active().await?.0)
    }

    /// Makes the live tables of `deliveries` those of version 1, which told nothing of first attempts.
    pub(super) async fn age(&self) -> Result<()> {
        let (version, suffix) = self.active().await?;
        if version != 2 {
            bail!(
                "the tables of deliveries are of version {version}; this knows how 2 differs from 1"
            );
        }
        let sql = format!(
            "ALTER TABLE deliveries_v2{suffix} RENAME TO deliveries_v1{suffix};\
             ALTER TABLE transitions_v2{suffix} RENAME TO transitions_v1{suffix};\
             ALTER TABLE deliveries_v1{suffix} DROP COLUMN first_attempt_at;\
             UPDATE active SET version = 1, \
             tables = 'deliveries_v1{suffix} transitions_v1{suffix}' \
             WHERE projection = 'deliveries'"
        );
        self.ask(&sql).await?;
        Ok(())
    }

    /// Drops the schema.
    pub(super) async fn drop(&self) -> Result<()> {
        let sql = format!("DROP SCHEMA {} CASCADE", self.schema);
        self.ask(&sql).await?;
        Ok(())
    }

    /// The version and the suffix of the live tables of `deliveries`.
    async fn active(&self) -> Result<(u32, String)> {
        let sql = "SELECT version || '|' || suffix FROM active WHERE projection = 'deliveries'";
        let row = self.ask(sql).await?;
        let (version, suffix) = row
            .split_once('|')
            .context("no table of deliveries is active")?;
        Ok((version.parse()?, suffix.to_owned()))
    }

    async fn ask(&self, sql: &str) -> Result<String> {
        let password = std::fs::read_to_string(&self.password)?;
        let output = Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args([
                "--set",
                "ON_ERROR_STOP=1",
                "--dbname",
                &self.url,
                "--command",
                sql,
            ])
            .env("PGPASSWORD", password.trim())
            .env("PGSSLMODE", "verify-full")
            .env("PGSSLROOTCERT", &self.ca)
            .env("PGOPTIONS", format!("-c search_path={}", self.schema))
            .output()
            .await
            .context("cannot run psql: it comes with PostgreSQL's client")?;
        if !output.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}
