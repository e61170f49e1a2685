//! The part of [`crate::Sandbox`] that every sandbox with a guest does alike: hand it to the client, and put the
//! reason into an error that says only that the guest is silent.

use futures_util::StreamExt as _;

use crate::error::SandboxError;
use crate::provider::Told;

/// Puts the reason into the errors of a stream.
pub(crate) fn explained<T, F, R>(told: Told<T>, explain: F) -> Told<T>
where
    T: Send + 'static,
    F: Fn(SandboxError) -> R + Send + Sync + 'static,
    R: Future<Output = SandboxError> + Send + 'static,
{
    told.then(move |item| {
        let explanation = item.map_err(&explain);
        async move {
            match explanation {
                Ok(item) => Ok(item),
                Err(reason) => Err(reason.await),
            }
        }
    })
    .boxed()
}

/// Methods of [`crate::Sandbox`] for a type with `self.client`, `async fn explain(&self, result) -> result` and
/// `fn explain_stream(&self, told) -> told`.
macro_rules! forward_to_guest {
    () => {
        $crate::forward::forward_to_guest! { @answers
            start(process: $crate::provider::StartProcess) -> $crate::provider::Process;
            processes() -> Vec<$crate::provider::Process>;
            close_input(process: $crate::provider::ProcessRef) -> ();
            signal(process: $crate::provider::ProcessRef, signal: i32) -> bool;
            resize(process: $crate::provider::ProcessRef, size: $crate::provider::PtySize) -> ();
            connect(port: u16) -> $crate::provider::PortStream;
            listen(port: u16) -> $crate::provider::PortListener;
            ports() -> Vec<u16>;
        }
        $crate::forward::forward_to_guest! { @paths
            stat(path: &'a str) -> $crate::provider::FileInfo;
            list(path: &'a str, depth: u32) -> Vec<$crate::provider::FileInfo>;
            make_dir(path: &'a str) -> bool;
            rename(from: &'a str, to: &'a str) -> $crate::provider::FileInfo;
            remove(path: &'a str) -> ();
            upload(
                path: &'a str,
                bytes: futures_util::stream::BoxStream<'static, std::io::Result<bytes::Bytes>>,
                options: $crate::provider::UploadOptions
            ) -> $crate::provider::FileInfo;
        }

        fn send_input(
            &self,
            process: $crate::provider::ProcessRef,
            bytes: Vec<u8>,
        ) -> $crate::provider::Answer<'_, ()> {
            Box::pin(async move { self.explain(self.client.send_input(process, &bytes).await).await })
        }

        fn follow(
            &self,
            process: $crate::provider::ProcessRef,
            replay: bool,
        ) -> $crate::provider::Answer<'_, $crate::provider::Told<$crate::provider::ProcessEvent>> {
            Box::pin(async move {
                let told = self.explain(self.client.follow(process, replay).await).await?;
                Ok(self.explain_stream(told))
            })
        }

        fn watch<'a>(
            &'a self,
            path: &'a str,
            recursive: bool,
        ) -> $crate::provider::Answer<'a, $crate::provider::Told<$crate::provider::FileEvent>> {
            Box::pin(async move {
                let told = self.explain(self.client.watch(path, recursive).await).await?;
                Ok(self.explain_stream(told))
            })
        }

        fn watch_ports(
            &self,
        ) -> $crate::provider::Answer<'_, $crate::provider::Told<$crate::provider::PortEvent>> {
            Box::pin(async move {
                let told = self.explain(self.client.watch_ports().await).await?;
                Ok(self.explain_stream(told))
            })
        }

        fn download<'a>(
            &'a self,
            path: &'a str,
            range: Option<std::ops::Range<u64>>,
        ) -> $crate::provider::Answer<'a, $crate::provider::Download> {
            Box::pin(async move {
                let download = self.explain(self.client.download(path, range).await).await?;
                let bytes = self.explain_stream(download.bytes);
                Ok($crate::provider::Download { bytes, ..download })
            })
        }
    };
    (@answers $($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self, $($argument: $type),*) -> $crate::provider::Answer<'_, $answer> {
            Box::pin(async move { self.explain(self.client.$name($($argument),*).await).await })
        })*
    };
    (@paths $($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name<'a>(&'a self, $($argument: $type),*) -> $crate::provider::Answer<'a, $answer> {
            Box::pin(async move { self.explain(self.client.$name($($argument),*).await).await })
        })*
    };
}

pub(crate) use forward_to_guest;
