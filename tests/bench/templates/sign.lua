-- Signs like PROTOCOL section 1 with libcrypto through FFI: the key is read and the digest context keyed once, copied for each request.
local ffi = require "ffi"
local C = ffi.C
local req = ngx.req

ffi.cdef [[
typedef struct bio_st BIO;
typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_md_st EVP_MD;
typedef struct evp_md_ctx_st EVP_MD_CTX;
BIO *BIO_new_file(const char *name, const char *mode);
EVP_PKEY *PEM_read_bio_PrivateKey(BIO *bio, void *key, void *callback, void *argument);
const EVP_MD *EVP_sha256(void);
EVP_MD_CTX *EVP_MD_CTX_new(void);
int EVP_MD_CTX_copy_ex(EVP_MD_CTX *out, const EVP_MD_CTX *in);
int EVP_DigestSignInit(EVP_MD_CTX *ctx, void *pctx, const EVP_MD *type, void *engine, EVP_PKEY *key);
int EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *signature, size_t *size, const unsigned char *data, size_t length);
unsigned char *SHA256(const unsigned char *data, size_t length, unsigned char *digest);
]]

local CLIENT_ID, CLIENT_SECRET, HOST = "@CLIENT_ID@", "@CLIENT_SECRET@", "@HOST@"
local HASHED = { POST = true, PUT = true, PATCH = true }
local BARE = "(request-target) x-nordea-originating-host x-nordea-originating-date"

local bio = C.BIO_new_file("@KEY@", "r")
assert(bio ~= nil, "the key file cannot be opened")
local key = C.PEM_read_bio_PrivateKey(bio, nil, nil, nil)
assert(key ~= nil, "the key cannot be read")
local keyed, scratch = C.EVP_MD_CTX_new(), C.EVP_MD_CTX_new()
assert(C.EVP_DigestSignInit(keyed, nil, C.EVP_sha256(), nil, key) == 1)
local signature, size, digest = ffi.new("unsigned char[1024]"), ffi.new("size_t[1]"), ffi.new("unsigned char[32]")

local function signed(base)
    size[0] = 1024
    assert(C.EVP_MD_CTX_copy_ex(scratch, keyed) == 1)
    assert(C.EVP_DigestSign(scratch, signature, size, base, #base) == 1)
    return ngx.encode_base64(ffi.string(signature, size[0]))
end

local function digest_of_body()
    req.read_body()
    local body = req.get_body_data() or ""
    C.SHA256(body, #body, digest)
    return "SHA-256=" .. ngx.encode_base64(ffi.string(digest, 32))
end

return function()
    local method, date = req.get_method(), ngx.http_time(ngx.time())
    local list = BARE
    local base = "(request-target): " .. method:lower() .. " " .. ngx.var.request_uri
        .. "\nx-nordea-originating-host: " .. HOST .. "\nx-nordea-originating-date: " .. date
    if HASHED[method] then
        local header = digest_of_body()
        req.set_header("Digest", header)
        list = list .. " content-type digest"
        base = base .. "\ncontent-type: " .. ngx.var.content_type .. "\ndigest: " .. header
    end
    req.set_header("X-IBM-Client-Id", CLIENT_ID)
    req.set_header("X-IBM-Client-Secret", CLIENT_SECRET)
    req.set_header("X-Nordea-Originating-Host", HOST)
    req.set_header("X-Nordea-Originating-Date", date)
    req.set_header("Signature", 'keyId="' .. CLIENT_ID .. '",algorithm="rsa-sha256",headers="' .. list
        .. '",signature="' .. signed(base) .. '"')
end
