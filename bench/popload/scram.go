package main

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/postamt/postamt/bench/internal/strictpop3"
)

// saltedPasswords keeps what PBKDF2 gave, by salt and iterations: it is the client's cost, and not what is measured.
var saltedPasswords sync.Map

// scram signs in with SCRAM-SHA-256 (RFC 7677, RFC 5034 §4) and checks the server's signature. User names and passwords of
// the lab need no preparation.
func scram(c *strictpop3.Conn, user, password string) error {
	nonce := rand.Text()
	first := "n=" + user + ",r=" + nonce
	challenge, err := step(c, "AUTH SCRAM-SHA-256 "+base64.StdEncoding.EncodeToString([]byte("n,,"+first)))
	if err != nil {
		return err
	}
	final, signature, err := respond(first, nonce, challenge, password)
	if err != nil {
		return fmt.Errorf("AUTH: %w", err)
	}
	proof, err := step(c, base64.StdEncoding.EncodeToString([]byte(final)))
	if err != nil {
		return err
	}
	if proof != "v="+signature {
		return fmt.Errorf("AUTH: the server's signature is wrong: %q", proof)
	}
	_, err = c.Cmd("")
	return err
}

// step sends a line and reads a challenge.
func step(c *strictpop3.Conn, line string) (string, error) {
	c.Put(line)
	if err := c.Flush(); err != nil {
		return "", err
	}
	challenge, err := c.Challenge()
	if err != nil {
		return "", fmt.Errorf("AUTH: %w", err)
	}
	b, err := base64.StdEncoding.DecodeString(string(challenge))
	return string(b), err
}

// respond returns the client's last message and the signature that the server must show.
func respond(first, nonce, challenge, password string) (final, signature string, err error) {
	f := strings.Split(challenge, ",")
	if len(f) != 3 || !strings.HasPrefix(f[0], "r="+nonce) || !strings.HasPrefix(f[1], "s=") || !strings.HasPrefix(f[2], "i=") {
		return "", "", fmt.Errorf("challenge %q", challenge)
	}
	salted, ok := saltedPasswords.Load(challenge[len(f[0]):] + password)
	if !ok {
		salt, err := base64.StdEncoding.DecodeString(f[1][2:])
		if err != nil {
			return "", "", err
		}
		iterations, err := strconv.Atoi(f[2][2:])
		if err != nil {
			return "", "", err
		}
		if salted, err = pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size); err != nil {
			return "", "", err
		}
		saltedPasswords.Store(challenge[len(f[0]):]+password, salted)
	}
	key := mac(salted.([]byte), "Client Key")
	stored := sha256.Sum256(key)
	final = "c=biws," + f[0]
	message := first + "," + challenge + "," + final
	subtle.XORBytes(key, key, mac(stored[:], message))
	server := mac(mac(salted.([]byte), "Server Key"), message)
	return final + ",p=" + base64.StdEncoding.EncodeToString(key), base64.StdEncoding.EncodeToString(server), nil
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}
