//! A store with something that happens around what it is asked to do.

use super::*;

/// What happens around. An error is the store's.
#[async_trait::async_trait]
pub(super) trait Watch: Send {
    async fn before_load(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
    async fn before_write(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
    async fn after_write(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A store that is watched.
pub(super) struct Watched<W> {
    pub(super) inner: Box<dyn ProjectionStore>,
    pub(super) watch: W,
}

#[async_trait::async_trait]
impl<W: Watch> ProjectionStore for Watched<W> {
    async fn acquire(&mut self, writer: &str, lease: Duration) -> Result<(), StoreError> {
        self.inner.acquire(writer, lease).await
    }
    async fn take_over(&mut self, writer: &str, lease: Duration) -> Result<(), StoreError> {
        self.inner.take_over(writer, lease).await
    }
    async fn renew(&mut self) -> Result<(), StoreError> {
        self.inner.renew().await
    }
    async fn release(&mut self) -> Result<(), StoreError> {
        self.inner.release().await
    }
    async fn stored(&mut self) -> Result<Option<Stored>, StoreError> {
        self.inner.stored().await
    }
    async fn create(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.inner.create(checkpoint).await
    }
    async fn load(&mut self, wanted: &Wanted) -> Result<Vec<Row>, StoreError> {
        self.watch.before_load().await?;
        self.inner.load(wanted).await
    }
    async fn write(&mut self, changes: Changes, advance: Advance<'_>) -> Result<(), StoreError> {
        self.watch.before_write().await?;
        self.inner.write(changes, advance).await?;
        self.watch.after_write().await
    }
    async fn scan(
        &mut self,
        table: &'static Table,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.inner.scan(table, after, limit).await
    }
    async fn freeze(&mut self) -> Result<Option<Box<dyn ProjectionStore>>, StoreError> {
        self.inner.freeze().await
    }
    async fn sets(&mut self) -> Result<Vec<TableSet>, StoreError> {
        self.inner.sets().await
    }
    async fn build(
        &mut self,
        projections: &[&'static Projection],
        checkpoint: &Checkpoint,
        holder: Holder<'_>,
    ) -> Result<Box<dyn ProjectionStore>, StoreError> {
        self.inner.build(projections, checkpoint, holder).await
    }
    async fn reopen(
        &mut self,
        set: &str,
        holder: Holder<'_>,
    ) -> Result<Box<dyn ProjectionStore>, StoreError> {
        self.inner.reopen(set, holder).await
    }
    async fn finish(&mut self) -> Result<(), StoreError> {
        self.inner.finish().await
    }
    async fn switch(&mut self, set: &str, at: &Checkpoint) -> Result<Option<String>, StoreError> {
        self.inner.switch(set, at).await
    }
    async fn drop_set(&mut self, set: &str, holder: Holder<'_>) -> Result<(), StoreError> {
        self.inner.drop_set(set, holder).await
    }
}
