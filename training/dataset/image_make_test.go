package dataset

import (
	"os"
	"path/filepath"
	"testing"

	"graft/training/dataset/datasettest"
)

// The makers of the tests' pictures.
var (
	asPNG               = datasettest.PNG
	asJPEG              = datasettest.JPEG
	asBMP               = datasettest.BMP
	asTIFF              = datasettest.TIFF
	corners             = datasettest.Corners
	grey16              = datasettest.Grey16
	withPNGChunk        = datasettest.WithPNGChunk
	exif                = datasettest.EXIF
	withJPEGExif        = datasettest.WithJPEGEXIF
	withTIFFOrientation = datasettest.WithTIFFOrientation
	cmykJPEG            = datasettest.CMYKJPEG
	vp8l                = datasettest.VP8L
	riff                = datasettest.RIFF
	vp8x                = datasettest.VP8X
)

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
