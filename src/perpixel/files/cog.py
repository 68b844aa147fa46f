"""Cloud-optimised GeoTIFF: blocks in order, overviews inside, so that a viewer reads only what it shows."""

from pathlib import Path
from typing import Final

from perpixel.errors import OutputError

CACHE_MB: Final = 128


def require_rasterio() -> None:
    """Raise OutputError where rasterio, which writes cloud-optimised GeoTIFF, is not installed."""
    try:
        import rasterio  # noqa: F401
    except ImportError:
        raise OutputError(
            "cloud-optimised GeoTIFF needs rasterio, which is not installed.", fix="pip install 'perpixel[geo]'."
        ) from None


def to_cloud_optimised(path: Path) -> None:
    """Write a GeoTIFF mask anew as a cloud-optimised one; its overviews show the most frequent values."""
    import rasterio
    from rasterio.shutil import copy

    beside = path.with_name(f"cloud-{path.name}")
    options = {"COMPRESS": "DEFLATE", "OVERVIEW_RESAMPLING": "MODE", "BIGTIFF": "IF_SAFER", "BLOCKSIZE": "512"}
    with rasterio.Env(GDAL_CACHEMAX=CACHE_MB):
        copy(str(path), str(beside), driver="COG", **options)
    beside.replace(path)
