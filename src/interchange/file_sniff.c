/*
 * file_sniff.c
 *	  Files that are not safetensors, recognised by their first bytes.  See
 *	  file_sniff.h.
 *
 * People pass the wrong file of a folder, or one that a tool left there; a
 * message about header lengths would not help them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/file_sniff.h"

#include <string.h>

typedef struct Magic
{
	size_t		length;
	const char *bytes;
	const char *type;
	const char *hint;
} Magic;

static const char *const pickle = "Python pickle";
static const char *const hint_save =
	"Write the adapter again with PEFT's save_pretrained(), whose default is safetensors.";
static const char *const hint_torch =
	"Save it again with PEFT's save_pretrained(), or in Python: safetensors.torch.save_file(torch.load('adapter_model.bin', weights_only=True), "
	"'adapter_model.safetensors').";
static const char *const hint_npz =
	"Its arrays carry PEFT's tensor names or another program's: safetensors.numpy.save_file(dict(numpy.load(file)), "
	"'adapter_model.safetensors') writes them under the names that they have.";
static const char *const hint_gguf =
	"llama.cpp's converter does not go back: pass the PEFT folder that the file was made from.";
static const char *const hint_unpack = "Decompress it first.";
static const char *const hint_convert = "Convert it to PEFT's safetensors form first.";
static const char *const hint_folder =
	"Pass adapter_model.safetensors of the adapter's folder here and adapter_config.json as the configuration.";

static PaStatus
refuse(PaEnv *env, const char *type, const char *hint)
{
	pa_fail(env, PA_ERR_FILE, "file is not safetensors but %s", type);
	pa_hint(env, "%s", hint);
	return PA_ERR_FILE;
}

/* A pickle of protocol 2 to 5 begins with its number; those of 0 and 1 with an opcode. */
static bool
is_pickle(const uint8_t *p, size_t n)
{
	if (n >= 2 && p[0] == 0x80 && p[1] >= 2 && p[1] <= 5)
		return true;
	return n >= 3 && p[n - 1] == '.' &&
		(memcmp(p, "(dp", 3) == 0 || memcmp(p, "(lp", 3) == 0 || memcmp(p, "}q", 2) == 0 ||
		 memcmp(p, "]q", 2) == 0 || memcmp(p, "cos", 3) == 0 || memcmp(p, "cpo", 3) == 0);
}

static bool
is_json(const uint8_t *p, size_t n)
{
	size_t		i = 0;

	while (i < n && (p[i] == ' ' || p[i] == '\t' || p[i] == '\n' || p[i] == '\r'))
		i++;
	if (i == n || (p[i] != '{' && p[i] != '['))
		return false;
	while (n > i && (p[n - 1] == ' ' || p[n - 1] == '\t' || p[n - 1] == '\n' || p[n - 1] == '\r'))
		n--;
	return p[n - 1] == '}' || p[n - 1] == ']';
}

/* The name of a zip archive's first member, whose length stands before it; no more than is there. */
static bool
zip_begins_with(const uint8_t *p, size_t length, const char *end)
{
	size_t		n = length >= 30 ? (size_t) p[26] | (size_t) p[27] << 8 : 0;
	size_t		m = strlen(end);

	return memcmp(p, "PK\003\004", 4) == 0 && n >= m && length - 30 >= n &&
		memcmp(p + 30 + n - m, end, m) == 0;
}

PaStatus
pa_file_sniff(PaEnv *env, const uint8_t *p, size_t length)
{
	const Magic magics[] = {
		{4, "PK\003\004", "a zip archive (.pt, .bin or .npz)", hint_save},
		{4, "PK\005\006", "a zip archive (.pt, .bin or .npz)", hint_save},
		{4, "GGUF", "GGUF", hint_gguf},
		{8, "\211HDF\r\n\032\n", "HDF5", hint_convert},
		{6, "\223NUMPY", "a numpy array", hint_convert},
		{2, "\037\213", "gzip", hint_unpack},
		{4, "\050\265\057\375", "zstd", hint_unpack},
		{6, "\3757zXZ\0", "xz", hint_unpack},
		{3, "BZh", "bzip2", hint_unpack},
		{4, "\177ELF", "a program", hint_folder},
		{8, "\211PNG\r\n\032\n", "an image", hint_folder},
		{8, "\211PAD\r\n\032\n", "a stored adapter of this extension",
		 "Use the adapter's binary or text form."},
		{19, "version https://git", "a Git LFS pointer",
		 "Fetch the file itself, for example with git lfs pull."},
		{9, "<!DOCTYPE", "an HTML page", "The download seems to have failed."},
		{5, "<html", "an HTML page", "The download seems to have failed."},
	};

	if (length >= 30 && zip_begins_with(p, length, "/data.pkl"))
		return refuse(env, "a Python pickle in a zip archive, as torch.save writes it", hint_torch);
	if (length >= 30 && zip_begins_with(p, length, ".npy"))
		return refuse(env, "numpy arrays in a zip archive (.npz)", hint_npz);
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (length >= magics[i].length && memcmp(p, magics[i].bytes, magics[i].length) == 0)
			return refuse(env, magics[i].type, magics[i].hint);
	if (length >= 263 && memcmp(p + 257, "ustar", 5) == 0)
		return refuse(env, "a tar archive", hint_unpack);
	if (is_pickle(p, length))
		return refuse(env, pickle, hint_torch);
	if (is_json(p, length))
		return refuse(env, "JSON text", hint_folder);
	return PA_OK;
}
