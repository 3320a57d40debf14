package limits

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// HashFile is the SHA-256 of a regular file, in hexadecimal digits.
func HashFile(path string) (string, error) {
	f, _, err := OpenRegular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
